import type { Stream } from "@libp2p/interface";
import { raceSignal } from "../../core/index.ts";
import { MAX_DCUTR_MESSAGE_BYTES } from "../limits.ts";
import { decodeDcutr, type DcutrMessage, encodeDcutr, readLength } from "./dcutr-message.ts";

/** Length prefix of the longest message, bytes. */
const MAX_HEAD_BYTES = 4;

/** DCUtR's messages on a stream, one after the other. */
export class DcutrStream {
  readonly #stream: Stream;
  #bytes = new Uint8Array();
  #waiting: PromiseWithResolvers<DcutrMessage> | undefined;
  #failure: Error | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.addEventListener("message", event => {
      this.#take(event.data instanceof Uint8Array ? event.data : event.data.subarray());
    });
    stream.addEventListener("close", () => this.#fail(new Error("the stream was cut off")));
  }

  send(message: DcutrMessage): void {
    this.#stream.send(encodeDcutr(message));
  }

  async read(signal: AbortSignal): Promise<DcutrMessage> {
    const message = this.#next();
    if (message !== undefined) return message;
    if (this.#failure !== undefined) throw this.#failure;
    this.#waiting = Promise.withResolvers<DcutrMessage>();
    // An aborted wait leaves it behind.
    this.#waiting.promise.catch(() => undefined);
    return raceSignal(this.#waiting.promise, signal);
  }

  async close(): Promise<void> {
    try {
      await this.#stream.close();
    } catch {
      this.#stream.abort(new Error("the stream did not close"));
    }
  }

  #take(chunk: Uint8Array): void {
    if (this.#bytes.length + chunk.length > MAX_DCUTR_MESSAGE_BYTES) {
      this.#fail(new Error(`a message has at most ${MAX_DCUTR_MESSAGE_BYTES} bytes`));
      this.#stream.abort(new Error("message too large"));
      return;
    }
    this.#bytes = Uint8Array.from([...this.#bytes, ...chunk]);
    if (this.#waiting === undefined) return;
    const message = this.#next();
    if (message !== undefined) this.#waiting.resolve(message);
  }

  #next(): DcutrMessage | undefined {
    const head = readLength(this.#bytes);
    if (head === undefined) {
      if (this.#bytes.length > MAX_HEAD_BYTES) this.#fail(new Error("the peer sent no message"));
      return undefined;
    }
    const end = head.headBytes + head.length;
    if (this.#bytes.length < end) return undefined;
    const message = decodeDcutr(this.#bytes.subarray(head.headBytes, end));
    this.#bytes = this.#bytes.slice(end);
    if (message === undefined) this.#fail(new Error("the peer sent no message of DCUtR"));
    return message;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
  }
}
