/** Largest header block of a request, bytes, its first line included. Node's own default; browsers send under 8 KiB. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Longest path and query, characters. CIDs and paths are far shorter; proxies commonly stop at 8 KiB. */
const MAX_URL_LENGTH = 8 * 1024;
/** Largest JSON body, bytes: API bodies are a few fields. */
const MAX_JSON_BYTES = 64 * 1024;
/** Time for a request's header block to arrive, milliseconds: sheds sockets that connect and never ask. */
const HEADERS_TIMEOUT_MS = 15_000;
/** Slowest body that is waited for, bytes per second on average. A modem does better. */
const MIN_BODY_BYTES_PER_SECOND = 1024;
/** How far a body may fall behind {@link MIN_BODY_BYTES_PER_SECOND}, milliseconds; so also the longest silence. */
const BODY_GRACE_MS = 30_000;
/** Idle time of a connection between two requests, milliseconds. */
const KEEP_ALIVE_MS = 15_000;
/** Longest time a client may leave an answer unread, milliseconds. A paused <video> asks again with a range. */
const UNREAD_ANSWER_MS = 120_000;
/** Requests being answered at a time; one more is told `BUSY`. Each holds at most one read-ahead of content. */
const MAX_CONCURRENT_REQUESTS = 1000;
/** Uploads at a time: each hashes and writes. */
const MAX_CONCURRENT_UPLOADS = 32;
/** Event streams at a time: fewer than {@link MAX_CONCURRENT_REQUESTS}, each of which they are for as long as they last. */
const MAX_EVENT_STREAMS = 400;
/** Time between two heartbeats of an event stream, milliseconds: proxies cut what is silent for a minute. */
export const EVENT_HEARTBEAT_MS = 15_000;
/** TCP connections at a time, WebSockets included; further ones are dropped. */
const MAX_CONNECTIONS = 4096;
/** Files of one upload. */
const MAX_UPLOAD_FILES = 10_000;
/** Fields of a form that are not files: they are passed over. */
export const MAX_UPLOAD_FIELDS = 32;
/** Resumable uploads that are not finished, of all callers. */
export const MAX_PENDING_UPLOADS = 512;
/** Resumable uploads of one caller that are not finished. */
export const MAX_PENDING_UPLOADS_PER_OWNER = 128;
/** How long an upload may take, pauses included, and its outcome is remembered, milliseconds. */
export const UPLOAD_LIFETIME_MS = 24 * 60 * 60 * 1000;
/** Time between two looks for uploads that have expired, milliseconds. */
export const UPLOAD_SWEEP_MS = 60 * 60 * 1000;
/** Largest offer of a WHEP player, bytes: a browser's with every codec has some ten thousand. */
export const MAX_SDP_BYTES = 128 * 1024;
/** Largest fragment with candidates of a WHEP player, bytes. */
export const MAX_FRAGMENT_BYTES = 16 * 1024;
/** Candidates in one fragment. A machine with many addresses has a few dozen. */
export const MAX_FRAGMENT_CANDIDATES = 64;
/** Streams that the control plane keeps at a time. */
export const MAX_CONTROL_STREAMS = 100;
/** Benchmarks of viewers at a time. */
export const MAX_BENCHMARKS = 4;
/** Reports of benchmarks that are kept. */
export const MAX_BENCHMARK_REPORTS = 50;
/** What the control plane did last that it remembers. */
export const MAX_CONTROL_OPERATIONS = 100;
/** Longest wait for the first byte of content, milliseconds; then `CONTENT_NOT_FOUND`. */
const FIND_TIMEOUT_MS = 15_000;
/** Longest wait for a peer to be dialled, milliseconds. */
const DIAL_TIMEOUT_MS = 15_000;
/** Time that running requests get when the node stops, milliseconds. */
const STOP_GRACE_MS = 500;
/** Time a client gets to read an error before its unfinished upload is cut off, milliseconds. */
const LINGER_MS = 1000;

/** The limits of one server. All of them are the constants of this file unless told otherwise. */
export interface HttpLimits {
  readonly maxHeaderBytes: number;
  readonly maxUrlLength: number;
  readonly maxJsonBytes: number;
  readonly headersTimeoutMs: number;
  readonly minBodyBytesPerSecond: number;
  readonly bodyGraceMs: number;
  readonly keepAliveMs: number;
  readonly unreadAnswerMs: number;
  readonly maxConcurrentRequests: number;
  readonly maxConcurrentUploads: number;
  readonly maxEventStreams: number;
  readonly maxConnections: number;
  readonly maxUploadFiles: number;
  readonly findTimeoutMs: number;
  readonly dialTimeoutMs: number;
  readonly stopGraceMs: number;
  readonly lingerMs: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  maxHeaderBytes: MAX_HEADER_BYTES,
  maxUrlLength: MAX_URL_LENGTH,
  maxJsonBytes: MAX_JSON_BYTES,
  headersTimeoutMs: HEADERS_TIMEOUT_MS,
  minBodyBytesPerSecond: MIN_BODY_BYTES_PER_SECOND,
  bodyGraceMs: BODY_GRACE_MS,
  keepAliveMs: KEEP_ALIVE_MS,
  unreadAnswerMs: UNREAD_ANSWER_MS,
  maxConcurrentRequests: MAX_CONCURRENT_REQUESTS,
  maxConcurrentUploads: MAX_CONCURRENT_UPLOADS,
  maxEventStreams: MAX_EVENT_STREAMS,
  maxConnections: MAX_CONNECTIONS,
  maxUploadFiles: MAX_UPLOAD_FILES,
  findTimeoutMs: FIND_TIMEOUT_MS,
  dialTimeoutMs: DIAL_TIMEOUT_MS,
  stopGraceMs: STOP_GRACE_MS,
  lingerMs: LINGER_MS,
};
