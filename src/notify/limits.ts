/** Events kept in memory for replay and history. At 200 bytes each, 16,384 are a few megabytes. */
export const MAX_RING_EVENTS = 16_384;
/** Bytes of event text kept in memory, whatever their number. */
export const MAX_RING_BYTES = 32 * 1024 * 1024;
/** Largest event, bytes of its JSON text: an event tells that something happened, it does not carry content. */
export const MAX_EVENT_BYTES = 64 * 1024;

/** Events that wait to be written to disk; one more writes them at once. */
export const MAX_UNCOMMITTED = 256;
/** Size at which the log on disk begins a new file, bytes. */
export const SEGMENT_BYTES = 8 * 1024 * 1024;
/** Size of the log on disk, bytes; the oldest file goes beyond. */
export const MAX_DISK_BYTES = 128 * 1024 * 1024;
/** Events between two entries of the index that the log on disk keeps in memory. */
export const INDEX_EVERY = 256;

/** Time that events are gathered before they are sent, milliseconds: one write per subscriber and flush is the cost of fan-out. */
export const FLUSH_MS = 20;
/** Bytes gathered that are sent without waiting for the flush. */
export const FLUSH_BYTES = 64 * 1024;
/** Bytes waiting in a subscriber's socket beyond which nothing is written to it. */
export const HIGH_WATER_BYTES = 256 * 1024;
/** Bytes read from the log at once for a subscriber that is behind. */
export const PAGE_BYTES = 128 * 1024;
/** Events read from the log at once for a subscriber that is behind. */
export const PAGE_EVENTS = 1024;
/** Pages written to one subscriber before the others get their turn. */
export const PAGES_PER_TURN = 4;
/** Longest that a subscriber that is behind may take without reading a byte, milliseconds. */
export const STALL_MS = 30_000;
/** Times that a subscriber may lose events before it is disconnected. */
export const MAX_DROPS = 8;
/** Changes of subscription that wait for a subscriber that is behind. */
export const MAX_WAITING_CHANGES = 16;

/** Connections of one handler at a time. */
export const MAX_CONNECTIONS = 20_000;
/** Connections of one handler from one address at a time. */
export const MAX_CONNECTIONS_PER_ADDRESS = 1_000;
/** Requests that a connection may make in a burst. */
export const REQUEST_BURST = 100;
/** Requests per second that a connection may make for long. */
export const REQUESTS_PER_SECOND = 20;
/** Refused requests after which a connection is closed. */
export const MAX_REFUSED = 100;
/** Characters of a `history` reply; older events are left out beyond. */
export const MAX_HISTORY_CHARS = 1024 * 1024;

/** Comparisons in one filter expression. */
export const MAX_FILTER_TERMS = 32;
/** Brackets and negations inside each other in a filter expression. */
export const MAX_FILTER_DEPTH = 16;
/** Steps of a path in a filter. */
export const MAX_FILTER_PATH = 8;
/** Stars in one glob pattern. */
export const MAX_GLOB_STARS = 8;
/** Characters of a value that a filter looks at. */
export const MAX_FILTERED_CHARS = 4096;

/** Readers that pull from the log at a time: SSE, webhooks, other doors. */
export const MAX_FOLLOWERS = 1_000;
/** Webhooks of a node. */
export const MAX_WEBHOOKS = 64;
/** Longest wait for the answer of a webhook, milliseconds. */
export const WEBHOOK_TIMEOUT_MS = 10_000;
/** Attempts to deliver a batch to a webhook before its events are given up and counted. */
export const WEBHOOK_ATTEMPTS = 8;
/** Events in one webhook request. */
export const WEBHOOK_BATCH = 100;
