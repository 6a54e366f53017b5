export { MAX_ADDRESSES, MAX_EARLY_DTLS, MuxPort } from "./mux-port.ts";
export { IceTcp } from "./ice-tcp.ts";
export { stunKind, stunLocalUfrag } from "./stun.ts";
export { MAX_PENDING_TRANSACTIONS, type MuxStats, UdpMux, type UdpMuxInit } from "./udp-mux.ts";
