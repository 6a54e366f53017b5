import { type AbortOptions, CidcastError, raceSignal } from "../../core/index.ts";
import type { PeerStream, StreamConsumer } from "../streams/index.ts";

const NEWLINE = 0x0a;
/** Code of `}`, which every JSON object ends with. */
const CLOSING_BRACE = 0x7d;
/** Times that what has come is tried as JSON before its end: a peer that sends braces alone costs no more. */
const MAX_ATTEMPTS = 256;

/** The JSON object that a stream begins with, and the rest of the stream. */
export interface FirstObject {
  readonly value: unknown;
  /** Hands over what comes after it; without a consumer it is passed over. Once. */
  follow(consumer: StreamConsumer): void;
}

export interface FirstObjectOptions extends AbortOptions {
  /** Most bytes of the object; `PAYLOAD_TOO_LARGE` beyond. As many may wait for who follows. */
  readonly maxBytes: number;
}

/**
 * Reads the JSON object that a stream begins with and that has no frame around it: complete when it parses, at the end of a
 * line, of what has arrived, or of the stream. `INVALID_REQUEST` when the other side ends before.
 */
export function readFirstObject(stream: PeerStream, options: FirstObjectOptions): Promise<FirstObject> {
  const reader = new Reader(options.maxBytes);
  stream.consume(reader);
  return raceSignal(reader.first, options.signal);
}

class Reader implements StreamConsumer {
  readonly first: Promise<FirstObject>;
  readonly #settle: PromiseWithResolvers<FirstObject>;
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #lastSolid = 0;
  #attempts = 0;
  #found = false;
  #failed = false;
  #consumer: StreamConsumer | undefined;
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #ended = false;
  #closed: { readonly error: Error | undefined } | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#settle = Promise.withResolvers<FirstObject>();
    this.first = this.#settle.promise;
    // Whoever waits gets the rejection; without anybody it is no news.
    this.first.catch(() => undefined);
  }

  onData(chunk: Uint8Array): void {
    if (this.#consumer !== undefined) this.#consumer.onData(chunk);
    else if (this.#found) this.#hold(chunk);
    else if (!this.#failed) this.#collect(chunk);
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#found) return this.#consumer?.onEnd?.();
    if (this.#failed) return undefined;
    const value = tryParse(this.#chunks);
    if (value === undefined) return this.#fail("INVALID_REQUEST", "What was sent is not a JSON object");
    return this.#find(value, new Uint8Array());
  }

  onClose(error?: Error): void {
    this.#closed = { error };
    this.#settle.reject(error ?? new CidcastError("PEER_UNREACHABLE", "The stream was closed"));
    this.#consumer?.onClose?.(error);
  }

  #collect(chunk: Uint8Array): void {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, from);
      const end = newline < 0 ? chunk.byteLength : newline;
      const piece = chunk.subarray(from, end);
      this.#bytes += piece.byteLength;
      if (this.#bytes > this.#maxBytes) {
        return this.#fail("PAYLOAD_TOO_LARGE", `The JSON has more than ${this.#maxBytes} bytes`);
      }
      this.#chunks.push(piece);
      this.#lastSolid = lastSolidOf(piece) ?? this.#lastSolid;
      const value = this.#attempt();
      if (value !== undefined) return this.#find(value, chunk.subarray(newline < 0 ? end : end + 1));
      if (newline < 0) return undefined;
      from = newline + 1;
    }
  }

  /** Most chunks of a long text cost no parse: an object ends with a brace. */
  #attempt(): unknown {
    if (this.#lastSolid !== CLOSING_BRACE || this.#attempts >= MAX_ATTEMPTS) return undefined;
    this.#attempts++;
    return tryParse(this.#chunks);
  }

  #find(value: unknown, rest: Uint8Array): void {
    this.#found = true;
    this.#chunks = [];
    if (rest.byteLength > 0) this.#hold(rest);
    this.#settle.resolve({ value, follow: consumer => this.#follow(consumer) });
  }

  #follow(consumer: StreamConsumer): void {
    this.#consumer = consumer;
    for (const chunk of this.#held.splice(0)) consumer.onData(chunk);
    if (this.#heldBytes > this.#maxBytes) {
      consumer.onClose?.(new CidcastError("PAYLOAD_TOO_LARGE", "Too much was sent at once"));
      return;
    }
    if (this.#ended) consumer.onEnd?.();
    if (this.#closed !== undefined) consumer.onClose?.(this.#closed.error);
  }

  /** What nobody may ever want is kept within bounds. */
  #hold(chunk: Uint8Array): void {
    this.#heldBytes += chunk.byteLength;
    if (this.#heldBytes <= this.#maxBytes) this.#held.push(chunk);
    else this.#held.length = 0;
  }

  #fail(code: "INVALID_REQUEST" | "PAYLOAD_TOO_LARGE", message: string): void {
    this.#failed = true;
    this.#chunks = [];
    this.#settle.reject(new CidcastError(code, message));
  }
}

function lastSolidOf(bytes: Uint8Array): number | undefined {
  return bytes.findLast(byte => byte !== 0x20 && byte !== 0x0d && byte !== 0x09);
}

function tryParse(chunks: readonly Uint8Array[]): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
