/** Room of one datagram, bytes: an Opus frame of 1275 bytes with all that goes around it fits. */
export const SLOT_BYTES = 1536;
/** Largest payload that is sent, bytes: header, extensions, retransmission number and tag take the rest of a slot. */
export const MAX_PAYLOAD_ROOM = 1400;
