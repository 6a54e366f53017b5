/** Largest block stored, read or fetched, bytes. @see https://specs.ipfs.tech/bitswap-protocol/#block-sizes */
export const MAX_BLOCK_BYTES = 2 * 1024 * 1024;

/** Longest reference accepted (`/ipfs/<cid>/<path>`), UTF-16 units. As long as the longest address HTTP takes. */
export const MAX_REF_LENGTH = 8192;

/** Most names in a path. Deeper trees are not made by people. */
export const MAX_PATH_DEPTH = 64;

/** Longest file or directory name, bytes of UTF-8: what Linux and macOS file systems take. */
export const MAX_NAME_BYTES = 255;

/** Most files in one directory add: its tree is kept in memory until it is written, about 300 bytes each. */
export const MAX_DIRECTORY_FILES = 500_000;

/** Deepest DAG read, in links from the root. A balanced file of 8 EiB has 7 levels; trickle DAGs stay below 40. */
export const MAX_DAG_DEPTH = 64;

/** Deepest HAMT shard. 64 bits of hash are used up after 8 levels of 256. */
export const MAX_HAMT_DEPTH = 16;

/** Largest range given back in one buffer by `read`, bytes. More is read as a stream. */
export const MAX_READ_BYTES = 64 * 1024 * 1024;

/** Adds under way at once; each holds up to {@link MAX_ADD_INFLIGHT_BYTES}. */
export const MAX_CONCURRENT_ADDS = 32;

/** Bytes of one add that are hashed but not yet written. Enough for two batches of the store. */
export const MAX_ADD_INFLIGHT_BYTES = 8 * 1024 * 1024;

/** Records given back by one `list`. */
export const MAX_LIST_LIMIT = 1000;

/** Records given back by `list` where no limit is asked for. */
export const DEFAULT_LIST_LIMIT = 100;

/** Longest text searched for, UTF-16 units. */
export const MAX_SEARCH_LENGTH = 256;

/** Largest media summary kept in a record, bytes of JSON. */
export const MAX_MEDIA_SUMMARY_BYTES = 256 * 1024;

/** Longest content type accepted from a sender, UTF-16 units. RFC 6838 section 4.2 allows 127 to each side. */
export const MAX_CONTENT_TYPE_LENGTH = 255;

/** Names under which one CID may be pinned. */
export const MAX_PINS_PER_CID = 100;

/** Longest search for a missing block among peers, milliseconds, where the configuration says nothing. */
export const DEFAULT_FIND_TIMEOUT_MS = 10_000;

/** Missing blocks asked for at once by one pin. */
export const PIN_FETCH_CONCURRENCY = 8;

/** Least time between two `pin_progress` events of one pin, milliseconds. */
export const PIN_PROGRESS_INTERVAL_MS = 250;

/** Bytes kept free on the disk: an add that would leave less is refused. */
export const MIN_FREE_BYTES = 64 * 1024 * 1024;

/** Bytes looked at to tell a content type. */
export const SNIFF_BYTES = 4100;

/** Decoded inner nodes kept for all readers together. */
export const NODE_CACHE_ENTRIES = 512;

/** Bytes, before decoding, of the nodes kept for all readers together: about 900 usual ones. */
export const NODE_CACHE_BYTES = 8 * 1024 * 1024;

/** Blocks read ahead before anything was consumed. A seek waits for none that it does not need. */
export const READ_AHEAD_FIRST_BLOCKS = 2;

/** Most blocks read ahead. */
export const READ_AHEAD_MAX_BLOCKS = 16;

/** Most bytes read ahead. */
export const READ_AHEAD_MAX_BYTES = 4 * 1024 * 1024;

/** Leaves kept per open file, so that small nearby reads cost no walk. */
export const FILE_CACHE_BLOCKS = 4;

/** Directory entries whose kind is looked up ahead of the reader of `ls`. */
export const LS_CONCURRENCY = 8;

/** Largest header of a CAR that is read, bytes: more roots than {@link CAR_MAX_ROOTS} do not need it. */
export const CAR_MAX_HEADER_BYTES = 64 * 1024;

/** Most roots of a CAR that is read. */
export const CAR_MAX_ROOTS = 1000;

/** Most blocks of a CAR in which repeats are sent as often as they stand: a DAG of shared nodes is endless that way. */
export const CAR_MAX_REPEATED_BLOCKS = 1024 * 1024;

/** Blocks of a CAR that are read while one before them is sent. */
export const CAR_READ_AHEAD_BLOCKS = 4;

/** Blocks of a CAR that are read but not yet written. */
export const CAR_INFLIGHT_BLOCKS = 16;

/** Bytes of blocks that a transfer has just brought, kept for a reader who follows it. */
export const FRESH_BLOCKS_BYTES = 16 * 1024 * 1024;

/** How long a reader who waited for a block of a transfer counts as following it, milliseconds. */
export const FOLLOWED_MS = 2000;

/** How long a removal waits for a look at the content to end, milliseconds. */
export const REMOVE_WAIT_MS = 2000;

/** Largest denylist, bytes: some millions of rules. */
export const MAX_DENYLIST_BYTES = 256 * 1024 * 1024;

/** Longest line of a denylist, characters. @see https://specs.ipfs.tech/compact-denylist-format/ */
export const MAX_DENYLIST_LINE_LENGTH = 2 * 1024 * 1024;

/** Rules of all denylists together: each takes some 100 bytes of memory. */
export const MAX_DENYLIST_RULES = 4_000_000;

/** Longest that a denylist may take to come from its address, milliseconds. */
export const DENYLIST_TIMEOUT_MS = 60_000;

/** Limits that the configuration may change. */
export interface ContentLimits {
  readonly maxConcurrentAdds: number;
  readonly maxDirectoryFiles: number;
  readonly findTimeoutMs: number;
  readonly minFreeBytes: number;
}

/** What holds where the configuration says nothing. */
export const DEFAULT_CONTENT_LIMITS: ContentLimits = {
  maxConcurrentAdds: MAX_CONCURRENT_ADDS,
  maxDirectoryFiles: MAX_DIRECTORY_FILES,
  findTimeoutMs: DEFAULT_FIND_TIMEOUT_MS,
  minFreeBytes: MIN_FREE_BYTES,
};
