export { MAX_PAYLOAD_BYTES } from "./payloads.ts";
export { packetiseSegment, type PacketisedSegment } from "./segment.ts";
export { Redundancy } from "./red.ts";
export { SegmentCache } from "./segment-cache.ts";
