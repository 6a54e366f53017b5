/** Deepest nesting of a message, levels: deeper ones would exhaust the stack of who walks them. */
export const MAX_JSON_DEPTH = 64;
/** Requests of one socket that run at a time; one more is refused. */
export const MAX_IN_FLIGHT = 32;
/** Messages of a socket that wait for its token to be checked; with one more it is closed. */
export const MAX_WAITING = 32;
/** Messages in one JSON-RPC batch. */
export const MAX_BATCH = 32;
/** Sessions of Streamable HTTP clients at a time. An idle one holds 40 to 130 KB. */
export const MAX_HTTP_SESSIONS = 1_000;
/** A Streamable HTTP session that is not used for so long is closed, milliseconds. */
export const HTTP_SESSION_IDLE_MS = 30 * 60 * 1000;
/** Time between two looks for idle sessions, milliseconds. */
export const IDLE_SWEEP_MS = 60 * 1000;
/** Open `subscriptions/listen` streams of the node. */
export const MAX_SUBSCRIPTIONS = 1_024;
/** Resources one session may subscribe to. */
export const MAX_RESOURCE_SUBSCRIPTIONS = 100;
/** Time between two notifications that there are new events, milliseconds: many events are one. */
export const EVENTS_TELL_MS = 200;
/** Events kept per session for clients that come back; the oldest go first. */
export const MAX_STORED_EVENTS = 256;
/** Bytes of events kept per session for clients that come back. */
export const MAX_STORED_EVENT_BYTES = 1024 * 1024;
/** Longest time a tool may run, milliseconds. */
export const TOOL_TIMEOUT_MS = 5 * 60 * 1000;
/** Tools of a node, its own and custom ones. Agents choose badly among more. */
export const MAX_TOOLS = 128;
/** Longest expression of the calculator, characters. */
export const MAX_EXPRESSION_LENGTH = 500;
/** Deepest nesting of the calculator's parentheses, signs and powers. */
export const MAX_EXPRESSION_DEPTH = 50;
/** Longest message that `echo` takes, characters. */
export const MAX_ECHO_LENGTH = 1024 * 1024;
/** Largest file that `file_operations` reads or writes, bytes. */
export const MAX_FILE_BYTES = 1024 * 1024;
/** Longest path of `file_operations`, characters. */
export const MAX_FILE_PATH_LENGTH = 1_024;
/** Deepest directory of `file_operations`. */
export const MAX_FILE_DEPTH = 16;
/** Files and directories a tenant may have. */
export const MAX_FILES = 10_000;
/** Entries in one answer of `file_operations` list. */
export const MAX_FILE_ENTRIES = 1_000;
/** Longest time of a web request with all its redirects, milliseconds. */
export const WEB_TIMEOUT_MS = 10_000;
/** Largest answer that a web request reads, bytes; the rest is cut off. */
export const MAX_WEB_BYTES = 1024 * 1024;
/** Redirects that a web request follows. */
export const MAX_REDIRECTS = 5;
/** Longest URL of a web request, characters. */
export const MAX_URL_LENGTH = 2_048;
/** Header fields of a web request. */
export const MAX_WEB_HEADERS = 32;
/** Largest body of a web request, bytes. */
export const MAX_WEB_BODY_BYTES = 256 * 1024;
/** Largest content that `content_add` takes, bytes: it comes inside a message. */
export const MAX_ADD_BYTES = 3 * 1024 * 1024;
/** Largest piece of content in one `resources/read`, bytes; larger content is read in ranges. */
export const MAX_RESOURCE_BYTES = 1024 * 1024;
/** Entries in one answer of a search or listing. */
export const MAX_RESULTS = 100;
/** Widest picture of `media_frame`, pixels: it comes inside a message. */
export const MAX_PICTURE_WIDTH = 1_920;
/** Width of a picture of `media_frame` where none is asked for, pixels: models see no more detail than about this. */
export const PICTURE_WIDTH = 1_024;
/** Cues in one answer of `media_captions`. */
export const MAX_CUES = 500;
/** Completions in one answer: the protocol's own limit. */
export const MAX_COMPLETIONS = 100;
/** Longest access token of an authorisation server, characters. */
export const MAX_OAUTH_TOKEN_LENGTH = 8_192;
/** How far the clock of an authorisation server may be off, seconds. */
export const OAUTH_CLOCK_TOLERANCE_SECONDS = 5;
/** Longest wait for an authorisation server's keys, milliseconds. */
export const OAUTH_KEYS_TIMEOUT_MS = 5_000;
