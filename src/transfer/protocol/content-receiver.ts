import {
  encodeFrame,
  type Frame,
  FrameError,
  FrameParser,
  MAX_OPEN_REQUESTS,
  MAX_RESPONSE_BYTES,
  type RequestItem,
  type ResponderFrame,
} from "@cidcast/protocols/content";
import { isErrorCode } from "@cidcast/protocols/errors";
import {
  type AbortOptions,
  type Cancel,
  CidcastError,
  type Clock,
  toCidcastError,
} from "../../core/index.ts";
import type { WantList } from "../dag/want-list.ts";
import { RECEIVE_WINDOW_BYTES, STALL_TIMEOUT_MS } from "../limits.ts";
import type { ByteStream } from "../types.ts";
import { BufferPool } from "./buffer-pool.ts";

export interface ReceiveOptions extends AbortOptions {
  readonly priority?: number;
  /** Hears each block once it is stored. */
  readonly onBlock?: (cid: Uint8Array, block: Uint8Array) => void;
}

interface OpenRequest {
  readonly wants: WantList;
  readonly onBlock: ReceiveOptions["onBlock"];
  readonly done: PromiseWithResolvers<void>;
  /** Blocks that are being stored. */
  storing: number;
  ended: boolean;
}

export interface ContentReceiverInit {
  readonly clock: Clock;
  readonly windowBytes?: number;
  readonly stallTimeoutMs?: number;
}

/** Asks for blocks over one stream, several requests at a time. Every block is verified; a breach ends the stream. */
export class ContentReceiver {
  readonly #stream: ByteStream;
  readonly #init: ContentReceiverInit;
  readonly #window: number;
  readonly #open = new Map<number, OpenRequest>();
  readonly #buffers = new BufferPool();
  #granted = 0;
  #received = 0;
  #consumed = 0;
  #nextId = 1;
  /** Bytes that may still come for requests that were cancelled. */
  #strayBudget = 0;
  /** Frames are worked off one after another. */
  #queue: Promise<void> = Promise.resolve();
  #failure: CidcastError | undefined;
  #stall: Cancel | undefined;

  constructor(stream: ByteStream, init: ContentReceiverInit) {
    this.#stream = stream;
    this.#init = init;
    this.#window = init.windowBytes ?? RECEIVE_WINDOW_BYTES;
    const parser = new FrameParser({
      maxPayloadBytes: MAX_RESPONSE_BYTES,
      allocate: bytes => this.#buffers.take(bytes),
      onFrame: (frame, wireBytes) => this.#arrived(frame, wireBytes),
    });
    stream.consume({
      onData: chunk => {
        if (this.#failure !== undefined) return;
        try {
          parser.push(chunk);
        } catch (error) {
          this.#fail(error);
        }
      },
      onEnd: () =>
        this.#after(() => this.#fail(new CidcastError("PEER_UNREACHABLE", "The source closed the stream"))),
      onClose: cause =>
        this.#after(() =>
          this.#fail(new CidcastError("PEER_UNREACHABLE", "The stream was cut off", { cause })),
        ),
    });
  }

  /** True when a new request can be made. */
  get usable(): boolean {
    return this.#failure === undefined && this.#open.size < MAX_OPEN_REQUESTS;
  }

  /** Requests under way. */
  get openRequests(): number {
    return this.#open.size;
  }

  /** Asks for `items`; resolves when the source has sent everything it has of them and all of it is stored. */
  async request(items: readonly RequestItem[], wants: WantList, options: ReceiveOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.usable) throw new CidcastError("BUSY", `${MAX_OPEN_REQUESTS} requests are open on the stream`);
    const id = this.#nextId++;
    const request: OpenRequest = {
      wants,
      onBlock: options.onBlock,
      done: Promise.withResolvers(),
      storing: 0,
      ended: false,
    };
    // Rejected also where sending the request fails, and then nobody waits for it.
    request.done.promise.catch(() => undefined);
    this.#open.set(id, request);
    const onAbort = (): void => this.#cancel(id, toCidcastError(options.signal?.reason));
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      if (this.#granted === 0) this.#grant(this.#window);
      this.#stream.send(encodeFrame({ type: "request", id, priority: options.priority ?? 0, items }));
      this.#watch();
      await request.done.promise;
    } catch (error) {
      throw this.#failure ?? error;
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
      this.#open.delete(id);
      this.#watch();
    }
  }

  /** Ends the stream in good order; requests under way fail. */
  async close(): Promise<void> {
    this.#settle(new CidcastError("ABORTED", "The stream was closed"));
    await this.#stream.close().catch(() => undefined);
  }

  /** Does something after the frames that have arrived. */
  #after(work: () => void | Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error: unknown) => this.#fail(error));
  }

  #arrived(frame: Frame, wireBytes: number): void {
    const costs = frame.type === "block" || frame.type === "missing";
    if (costs) {
      this.#received += wireBytes;
      if (this.#received > this.#granted)
        throw new FrameError("the source sends more than it was given credit for");
    }
    this.#after(async () => {
      if (this.#failure === undefined) await this.#handle(frame, wireBytes);
    });
  }

  async #handle(frame: Frame, wireBytes: number): Promise<void> {
    if (frame.type === "error" && frame.id === 0) throw remoteError(frame.code, frame.message);
    if (frame.type === "request" || frame.type === "grant" || frame.type === "cancel") {
      throw new FrameError(`a ${frame.type} frame is for this side to send`);
    }
    const request = this.#open.get(frame.id);
    if (request === undefined || request.ended) {
      this.#handleStray(frame, wireBytes);
      return;
    }
    this.#watch();
    switch (frame.type) {
      case "block": {
        const { stored } = await request.wants.take(frame.cid, frame.bytes);
        request.storing++;
        this.#store(request, stored, frame, wireBytes);
        break;
      }
      case "missing":
        request.wants.lacks(frame.cid);
        this.#consume(wireBytes);
        break;
      case "end":
        if (request.wants.open > 0) {
          throw new CidcastError(
            "CORRUPT_BLOCK",
            `The source ended with ${request.wants.open} blocks unsent`,
          );
        }
        request.ended = true;
        this.#finish(request);
        break;
      case "error":
        request.done.reject(remoteError(frame.code, frame.message));
        break;
    }
  }

  /** Frames of a request that was cancelled may be under way: at most as many bytes as there was credit. */
  #handleStray(frame: ResponderFrame, wireBytes: number): void {
    this.#strayBudget -= wireBytes;
    if (frame.id === 0 || frame.id >= this.#nextId || this.#strayBudget < 0) {
      throw new FrameError(`request ${frame.id} is not open`);
    }
    if (frame.type === "block" || frame.type === "missing") this.#consume(wireBytes);
  }

  #store(
    request: OpenRequest,
    stored: Promise<boolean>,
    { cid, bytes }: { readonly cid: Uint8Array; readonly bytes: Uint8Array },
    wireBytes: number,
  ): void {
    stored.then(
      isFree => {
        request.storing--;
        request.onBlock?.(cid, bytes);
        if (isFree) this.#buffers.give(bytes.buffer);
        this.#consume(wireBytes);
        this.#finish(request);
      },
      (error: unknown) => {
        request.done.reject(error);
        this.#consume(wireBytes);
      },
    );
  }

  #finish(request: OpenRequest): void {
    if (request.ended && request.storing === 0) request.done.resolve();
  }

  /** Gives credit back once a quarter of the window is free again. */
  #consume(wireBytes: number): void {
    this.#consumed += wireBytes;
    const total = this.#consumed + this.#window;
    if (this.#failure === undefined && total - this.#granted >= this.#window / 4) this.#grant(total);
  }

  #grant(total: number): void {
    this.#granted = total;
    try {
      this.#stream.send(encodeFrame({ type: "grant", total }));
    } catch (error) {
      this.#fail(error);
    }
  }

  #cancel(id: number, reason: CidcastError): void {
    const request = this.#open.get(id);
    if (request === undefined) return;
    if (this.#failure === undefined && !request.ended) {
      this.#strayBudget = Math.max(this.#strayBudget, 0) + this.#window;
      try {
        this.#stream.send(encodeFrame({ type: "cancel", id }));
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#open.delete(id);
    request.done.reject(reason);
  }

  /** Starts the wait for the next frame anew; with nothing under way there is none. */
  #watch(): void {
    this.#stall?.();
    this.#stall = undefined;
    if (this.#open.size === 0 || this.#failure !== undefined) return;
    const timeoutMs = this.#init.stallTimeoutMs ?? STALL_TIMEOUT_MS;
    this.#stall = this.#init.clock.after(timeoutMs, () => {
      this.#fail(new CidcastError("TIMEOUT", `The source brought nothing for ${timeoutMs} ms`));
    });
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const reason =
      error instanceof FrameError
        ? new CidcastError("CORRUPT_BLOCK", `The source breaks the protocol: ${error.message}`, {
            cause: error,
          })
        : toCidcastError(error);
    this.#settle(reason);
    this.#stream.abort(reason);
  }

  #settle(reason: CidcastError): void {
    this.#failure ??= reason;
    this.#stall?.();
    this.#stall = undefined;
    for (const request of this.#open.values()) request.done.reject(this.#failure);
    this.#open.clear();
  }
}

/** An error that the source told; codes that are not ours become `INTERNAL`. */
function remoteError(code: string, message: string): CidcastError {
  return new CidcastError(isErrorCode(code) ? code : "INTERNAL", `The source answered: ${message}`);
}
