export { LineCutter } from "./line-cutter.ts";
export { type ProtocolHandler, type ProtocolHandlerOptions, ProtocolRegistry } from "./protocols.ts";
export { type PeerStream, peerStream, type StreamConsumer } from "./stream.ts";
