/** Deepest DAG walked, in links from the root. A balanced file of 8 EiB has 7 levels; trickle DAGs stay below 40. */
export const MAX_DAG_DEPTH = 64;

/** Blocks remembered as sent within one request, so that each goes once: 256 GiB at 256 KiB each, about 150 MB. */
export const MAX_BLOCKS_PER_REQUEST = 1024 * 1024;

/** Blocks a receiver may be waiting for at once: what verified nodes link to. About 200 bytes each. */
export const MAX_WANTED_BLOCKS = 1024 * 1024;

/** Blocks read ahead of the one being sent, per request. */
export const SEND_READ_AHEAD_BLOCKS = 4;

/** Bytes handed to the transport at once: more delays others, less costs CPU. Measured best between 64 and 256 KiB. */
export const SEND_PIECE_BYTES = 256 * 1024;

/** Credit given ahead by a receiver, bytes. Enough for 300 MB/s at 13 ms round trip. */
export const RECEIVE_WINDOW_BYTES = 4 * 1024 * 1024;

/** A sender ends a stream whose receiver gives no credit for this long while a block waits, milliseconds. */
export const CREDIT_TIMEOUT_MS = 30_000;

/** A receiver gives up on a sender that brings no verified block for this long, milliseconds. */
export const STALL_TIMEOUT_MS = 10_000;

/** Streams served at once, all peers together: each holds a few blocks in memory. */
export const MAX_SERVED_STREAMS = 64;

/** Streams of the content protocol that one peer may hold open: one carries many requests. */
export const MAX_CONTENT_STREAMS_PER_PEER = 4;

/** A stream kept open for the next request is closed after this long without one, milliseconds. */
export const IDLE_STREAM_MS = 30_000;

/** Streams kept open to peers for the next request. */
export const MAX_IDLE_STREAMS = 64;

/** Longest that an error may take to reach a peer before its stream is cut, milliseconds. */
export const CLOSE_TIMEOUT_MS = 5000;
