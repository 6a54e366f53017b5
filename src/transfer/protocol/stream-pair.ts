import type { ByteStream } from "../types.ts";

type Consumer = Parameters<ByteStream["consume"]>[0];

/** Two ends of a stream in memory, for tests: what one sends the other gets a turn later. */
export function streamPair(): readonly [ByteStream & StreamEnd, ByteStream & StreamEnd] {
  const a = new End();
  const b = new End();
  a.other = b;
  b.other = a;
  return [a, b];
}

/** What a test sees of an end. */
export interface StreamEnd {
  /** Resolves with the error, or nothing, once the stream is closed. */
  readonly closed: Promise<Error | undefined>;
}

class End implements ByteStream, StreamEnd {
  readonly peerId = "the other end";
  other: End | undefined;
  #consumer: Consumer | undefined;
  readonly #early: ((consumer: Consumer) => void)[] = [];
  #writable = true;
  #over = false;
  readonly #closed = Promise.withResolvers<Error | undefined>();

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  send(bytes: Uint8Array): boolean {
    if (!this.#writable) throw new Error("this side is closed");
    const copy = Uint8Array.from(bytes);
    this.other?.arrive(consumer => consumer.onData(copy));
    return true;
  }

  async drained(): Promise<void> {}

  consume(consumer: Consumer): void {
    this.#consumer = consumer;
    for (const deliver of this.#early.splice(0)) this.arrive(deliver);
  }

  async close(): Promise<void> {
    if (!this.#writable) return;
    this.#writable = false;
    this.other?.arrive(consumer => consumer.onEnd?.());
    this.other?.maybeOver();
    this.maybeOver();
  }

  abort(error: Error): void {
    this.finish(error);
    this.other?.finish(error);
  }

  arrive(deliver: (consumer: Consumer) => void): void {
    setImmediate(() => {
      if (this.#over) return;
      if (this.#consumer === undefined) this.#early.push(deliver);
      else deliver(this.#consumer);
    });
  }

  maybeOver(): void {
    if (this.#writable || this.other?.isWritable === true) return;
    setImmediate(() => this.finish());
  }

  get isWritable(): boolean {
    return this.#writable;
  }

  finish(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#writable = false;
    this.#consumer?.onClose?.(error);
    this.#closed.resolve(error);
  }
}
