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

/** Bytes of buffers that one stream keeps for the blocks to come: what may be on its way. */
export const MAX_POOLED_BYTES = 8 * 1024 * 1024;

/** Smallest buffer that is used again, bytes. */
export const MIN_POOLED_BYTES = 64 * 1024;

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

/** Longest wait for a WebSocket or a gateway to answer at all, milliseconds. */
export const OPEN_TIMEOUT_MS = 10_000;

/** Largest message of the content protocol on a WebSocket that is sent, bytes: half of what nodes read. */
export const MESSAGE_BYTES = 128 * 1024;

/** Bytes waiting on a WebSocket above which a sender waits: far less than the socket is cut off for. */
export const MESSAGE_QUEUED_BYTES = 1024 * 1024;

/** Blocks asked for one by one at a gateway at a time. */
export const GATEWAY_CONCURRENCY = 8;

/** Blocks a gateway may send that were not asked for or are here already, per answer: DAGs that share nodes have some. */
export const MAX_REDUNDANT_BLOCKS = 10_000;

/** A source that brings no verified block for this long after the start is left for the next one, milliseconds, where there is one. */
export const SLOW_START_MS = 2000;

/** Sources of one transfer that are asked at the same time. */
export const MAX_PARALLEL_SOURCES = 4;

/** Pieces of a copy that one source is asked for at a time: the next is on its way before the last one has come. */
export const BULK_PIECES_AHEAD = 3;

/** Size of a source's first piece, bytes; it doubles while pieces come quickly, and halves where they do not. */
export const START_PIECE_BYTES = 1024 * 1024;
export const MIN_PIECE_BYTES = 256 * 1024;
export const MAX_PIECE_BYTES = 8 * 1024 * 1024;

/** Blocks of one piece. */
export const MAX_PIECE_BLOCKS = 512;

/** Time a piece should take, milliseconds: what a player waits for when its block is part of one. */
export const PIECE_TARGET_MS = 250;

/** Priority of blocks that a player waits for; copies have 0. */
export const URGENT_PRIORITY = 255;

/** Copies keep little under way for this long after a player has waited for a block, milliseconds. */
export const HURRY_MS = 2000;

/** A block that a player waits for is asked for at another source too after this long, milliseconds. */
export const URGENT_HEDGE_MS = 1000;

/** Transfers that run at a time; more wait. Each holds a window of blocks in memory. */
export const MAX_RUNNING_TRANSFERS = 16;

/** Transfers that are not over at a time. */
export const MAX_OPEN_TRANSFERS = 1000;

/** Finished transfers kept in the history; the oldest go first. */
export const MAX_FINISHED_TRANSFERS = 10_000;

/** Sources of one transfer. */
export const MAX_TRANSFER_SOURCES = 32;

/** Attempts kept in a transfer's record: the last ones. */
export const MAX_ATTEMPTS_KEPT = 100;

/** Rounds over all sources that bring nothing, one after another, before a transfer fails. */
export const MAX_IDLE_ROUNDS = 3;

/** Least time between two reports of one transfer's progress, milliseconds: four a second. */
export const PROGRESS_INTERVAL_MS = 250;

/** Time for which a source that sent a bad block is not asked, milliseconds. */
export const BAD_SOURCE_BAN_MS = 10 * 60_000;

/** Sources whose health is remembered; the longest unused are forgotten. */
export const MAX_REMEMBERED_SOURCES = 10_000;

/** Transfers in one answer where no limit is asked for, and the most. */
export const DEFAULT_TRANSFER_PAGE = 100;
export const MAX_TRANSFER_PAGE = 1000;

/** Wait before sources that brought nothing are asked again, milliseconds; doubles up to the longest. */
export const RETRY_MS = 500;
export const RETRY_MAX_MS = 10_000;

/** Metadata records kept, all content together. */
export const MAX_METADATA_RECORDS = 100_000;

/** Streams of the metadata, file and transfer protocols that one peer may hold open, each. */
export const MAX_PLAIN_STREAMS_PER_PEER = 8;

/** Longest a peer may take to send a request as JSON, milliseconds. */
export const JSON_REQUEST_TIMEOUT_MS = 10_000;

/** Times that one try with a source may go on over another connection to it. */
export const MAX_MOVES = 8;
