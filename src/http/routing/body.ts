import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { CidcastError, raceSignal } from "../../core/index.ts";
import type { HttpLimits } from "../limits.ts";

/** How often a body's progress is looked at, as a share of the grace it has. */
const CHECKS_PER_GRACE = 10;
/** Shortest time between two looks, milliseconds. */
const MIN_CHECK_MS = 20;

/** Errors of a stream whose other end is gone. */
const GONE_CODES: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ERR_STREAM_PREMATURE_CLOSE",
  "FST_MP_PREMATURE_CLOSE",
]);

/** How slow a body may be. */
export interface BodyPace {
  readonly minBytesPerSecond: number;
  /** How far it may fall behind, milliseconds. */
  readonly graceMs: number;
}

/**
 * Watches a request's body arrive; the signal aborts with `REQUEST_TIMEOUT` when it has fallen behind its pace. Time in
 * which this side does not read, because the disk is busy, does not count.
 */
export function watchBody(request: IncomingMessage, pace: BodyPace): AbortSignal {
  const controller = new AbortController();
  let seenBytes = request.socket.bytesRead;
  let leftMs = pace.graceMs;
  const intervalMs = Math.max(MIN_CHECK_MS, pace.graceMs / CHECKS_PER_GRACE);
  const timer = setInterval(() => {
    const arrived = request.socket.bytesRead - seenBytes;
    seenBytes += arrived;
    if (request.complete) return stop();
    const waiting = request.readableLength < request.readableHighWaterMark;
    leftMs += (arrived / pace.minBytesPerSecond) * 1000 - (waiting ? intervalMs : 0);
    leftMs = Math.min(leftMs, pace.graceMs);
    if (leftMs > 0) return undefined;
    stop();
    controller.abort(
      new CidcastError(
        "REQUEST_TIMEOUT",
        `The body comes too slowly: ${pace.minBytesPerSecond} bytes per second are expected, silences up to ${pace.graceMs} ms`,
      ),
    );
    return undefined;
  }, intervalMs);
  timer.unref();
  const stop = (): void => clearInterval(timer);
  request.once("end", stop).once("close", stop).once("error", stop);
  if (request.complete) stop();
  return controller.signal;
}

/**
 * The chunks of a body or of one of its parts, until `signal` aborts or more than `maxBytes` came (`PAYLOAD_TOO_LARGE`).
 * Leaving early keeps the connection, so that an error can still be answered.
 */
export async function* bodyChunks(
  body: Readable,
  options: { readonly signal: AbortSignal; readonly maxBytes: number },
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  const iterator = body.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await raceSignal(iterator.next(), options.signal);
      if (next.done === true) break;
      // A request without an encoding yields buffers.
      const chunk = next.value as Uint8Array;
      bytes += chunk.length;
      if (bytes > options.maxBytes) throw tooLarge(options.maxBytes);
      yield chunk;
    }
  } catch (error) {
    throw fromBodyError(error);
  }
}

/** A body as text. `PAYLOAD_TOO_LARGE`, `REQUEST_TIMEOUT`. */
export async function textBody(
  request: IncomingMessage,
  options: {
    readonly maxBytes: number;
    readonly limits: Pick<HttpLimits, "minBodyBytesPerSecond" | "bodyGraceMs">;
  },
): Promise<string> {
  const { maxBytes, limits } = options;
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const signal = watchBody(request, {
    minBytesPerSecond: limits.minBodyBytesPerSecond,
    graceMs: limits.bodyGraceMs,
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of bodyChunks(request, { signal, maxBytes })) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** The error for a body beyond its limit. */
export function tooLarge(maxBytes: number): CidcastError {
  return new CidcastError("PAYLOAD_TOO_LARGE", `More than ${maxBytes} bytes are not taken`, {
    details: { maxBytes },
  });
}

/** What made reading a body fail: the client went away, or what it sent has the wrong form. */
export function fromBodyError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CidcastError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (GONE_CODES.has(code)) {
    return new CidcastError("ABORTED", "The client went away in the middle of its request", { cause: error });
  }
  if (code !== "") return error;
  return new CidcastError("INVALID_REQUEST", `The body is malformed: ${error.message}`, { cause: error });
}
