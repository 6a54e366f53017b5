/** Entropy of a token, bytes: not to be guessed, so that a fast hash is enough to keep it. */
export const TOKEN_BYTES = 32;
/** Longest text that is looked at as a token, characters; longer ones are refused unread. */
export const MAX_TOKEN_LENGTH = 256;
/** Resolved tokens kept in memory, so that a message costs no query. About 400 bytes each. */
export const MAX_CACHED_TOKENS = 10_000;
/** Least time between two writes of a token's `last_used`, milliseconds. */
export const LAST_USED_INTERVAL_MS = 10_000;
/** Wrong tokens or keys that one address may show in a row before it has to wait. */
export const MAX_FAILED_ATTEMPTS = 20;
/** Time in which one failed attempt is forgiven, milliseconds. */
export const FAILED_ATTEMPT_RECOVERY_MS = 3_000;
/** Addresses and tenants whose buckets are remembered; the oldest goes first. */
export const MAX_BUCKETS = 10_000;
/** Tool calls waiting to be written to the audit log; further calls wait for the disk. */
export const MAX_PENDING_CALLS = 1_000;
/** Longest time that a tool call waits to be written together with others, milliseconds. */
export const AUDIT_FLUSH_MS = 20;
/** Longest arguments kept per tool call, characters of JSON. */
export const MAX_AUDIT_ARGUMENTS = 4_096;
/** Longest result or error kept per tool call, characters. */
export const MAX_AUDIT_RESULT = 2_048;
/** Longest single text kept inside arguments, characters. */
export const MAX_AUDIT_TEXT = 256;
/** Depth at which arguments are cut off in the audit log. */
export const MAX_AUDIT_DEPTH = 8;
/** Entries of one object or list kept in the audit log. */
export const MAX_AUDIT_ENTRIES = 64;
/** Rows read at a time when the audit log is exported or verified. */
export const AUDIT_PAGE = 500;
/** Sessions open at a time in the node. */
export const MAX_SESSIONS = 10_000;
/** Sessions open at a time per tenant. */
export const MAX_SESSIONS_PER_TENANT = 1_000;
/** Closed sessions kept for the lists, per node; older ones are removed. */
export const MAX_CLOSED_SESSIONS = 10_000;
/** Most rows in one answer of a list. */
export const MAX_LIST_ROWS = 1_000;
/** Tenants of a node. */
export const MAX_TENANTS = 10_000;
/** Active tokens of a tenant. */
export const MAX_TOKENS_PER_TENANT = 1_000;
/** Playback tokens of a tenant, or of the owner, that have not expired. */
export const MAX_PLAYBACK_TOKENS_PER_TENANT = 10_000;
/** Credentials of a tenant. */
export const MAX_CREDENTIALS_PER_TENANT = 1_000;
/** Requests of a tenant per minute, when its quota does not say otherwise. */
export const DEFAULT_REQUESTS_PER_MINUTE = 6_000;
/** Content and files of a tenant, bytes, when its quota does not say otherwise. */
export const DEFAULT_STORAGE_BYTES = 50 * 1024 ** 3;
/** Bytes a tenant may be sent per day (UTC), when its quota does not say otherwise. */
export const DEFAULT_EGRESS_BYTES_PER_DAY = 1024 ** 4;
/** Viewers of a tenant at a time, when its quota does not say otherwise. */
export const DEFAULT_VIEWERS = 100;
/** Jobs of a tenant at a time, when its quota does not say otherwise. */
export const DEFAULT_JOBS = 4;
/** Shortest passphrase taken as encryption key, characters. */
export const MIN_PASSPHRASE_LENGTH = 16;
/** Longest wait of a timer, milliseconds: what setTimeout can hold. Longer waits are split. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
