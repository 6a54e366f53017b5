import {
  blockFrameBytes,
  encodeBlockHead,
  encodeFrame,
  type Frame,
  FrameError,
  FrameParser,
  MAX_OPEN_REQUESTS,
  MAX_REQUEST_BYTES,
  type RequestFrame,
} from "@cidcast/protocols/content";
import {
  type Cancel,
  CidcastError,
  type Clock,
  isCidcastError,
  type Logger,
  messageOf,
  toCidcastError,
} from "../../core/index.ts";
import { CLOSE_TIMEOUT_MS, CREDIT_TIMEOUT_MS, SEND_PIECE_BYTES } from "../limits.ts";
import type { TransferMetrics } from "../metrics.ts";
import type { ByteStream, TransferBlocks } from "../types.ts";
import { SendJob } from "./send-job.ts";

export interface ContentSenderComponents {
  readonly blocks: TransferBlocks;
  readonly metrics: TransferMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Answers one stream of the content protocol; resolves when it is over. Never throws: a peer's breach ends its stream. */
export async function sendContent(stream: ByteStream, components: ContentSenderComponents): Promise<void> {
  await new ContentSender(stream, components).run();
}

class ContentSender {
  readonly #stream: ByteStream;
  readonly #components: ContentSenderComponents;
  readonly #jobs = new Map<number, SendJob>();
  readonly #over = new AbortController();
  #granted = 0;
  #sent = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(stream: ByteStream, components: ContentSenderComponents) {
    this.#stream = stream;
    this.#components = { ...components, blocks: readable(components) };
  }

  async run(): Promise<void> {
    const parser = new FrameParser({
      maxPayloadBytes: MAX_REQUEST_BYTES,
      onFrame: frame => this.#receive(frame),
    });
    this.#stream.consume({
      onData: chunk => {
        if (this.#over.signal.aborted) return;
        try {
          parser.push(chunk);
        } catch (error) {
          this.#fail(error);
        }
      },
      onEnd: () => {
        this.#ended = true;
        this.#kick();
      },
      onClose: () => {
        this.#over.abort();
        this.#kick();
      },
    });
    try {
      await this.#pump();
      if (!this.#over.signal.aborted) await this.#stream.close({ signal: this.#over.signal });
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#over.abort();
      for (const job of this.#jobs.values()) await job.stop();
      this.#jobs.clear();
    }
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case "request":
        this.#open(frame);
        break;
      case "grant":
        this.#granted = Math.max(this.#granted, frame.total);
        break;
      case "cancel":
        this.#drop(frame.id);
        break;
      default:
        throw new FrameError(`a ${frame.type} frame is for the other side to send`);
    }
    this.#kick();
  }

  #open(frame: RequestFrame): void {
    if (this.#jobs.has(frame.id)) throw new FrameError(`request ${frame.id} is open already`);
    if (this.#jobs.size >= MAX_OPEN_REQUESTS) {
      this.#components.metrics.limits.add(1, { limit: "open_requests" });
      this.#answer(frame.id, new CidcastError("LIMIT_REACHED", `${MAX_OPEN_REQUESTS} requests are open`));
      return;
    }
    this.#jobs.set(frame.id, new SendJob(frame, this.#components.blocks));
  }

  #drop(id: number): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    this.#jobs.delete(id);
    job.stop().catch((error: unknown) => {
      this.#components.log.debug({ reason: messageOf(error) }, "walk did not end cleanly");
    });
  }

  async #pump(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const job = this.#choose();
      if (job === undefined) {
        if (this.#ended) return;
        await this.#change();
      } else if (this.#sent >= this.#granted) {
        await this.#credit();
      } else {
        await this.#serve(job);
      }
    }
  }

  /** The open request of the highest priority; among equals the one that waits longest. */
  #choose(): SendJob | undefined {
    let best: SendJob | undefined;
    for (const job of this.#jobs.values()) if (best === undefined || job.priority > best.priority) best = job;
    return best;
  }

  /** Sends the next block of a request, unless something more urgent came or the credit does not hold it. */
  async #serve(job: SendJob): Promise<void> {
    let next: Awaited<ReturnType<SendJob["peek"]>>;
    try {
      next = await job.peek();
    } catch (error) {
      if (this.#jobs.delete(job.id)) this.#answer(job.id, toCidcastError(error));
      return;
    }
    if (this.#choose() !== job) return;
    if (next === undefined) {
      this.#jobs.delete(job.id);
      this.#stream.send(encodeFrame({ type: "end", id: job.id, blocks: job.blocks, bytes: job.bytes }));
      return;
    }
    const { cid, bytes } = next;
    const wireBytes = blockFrameBytes(cid.byteLength, bytes?.byteLength ?? 0);
    if (this.#sent + wireBytes > this.#granted) {
      await this.#credit();
      return;
    }
    this.#sent += wireBytes;
    job.sent();
    // To the end of the queue: equals take turns.
    this.#jobs.delete(job.id);
    this.#jobs.set(job.id, job);
    if (bytes === undefined) {
      this.#stream.send(encodeFrame({ type: "missing", id: job.id, cid }));
      return;
    }
    this.#components.metrics.sentBlocks.add();
    this.#components.metrics.sentBytes.add(bytes.byteLength);
    await this.#write(encodeBlockHead({ id: job.id, cid }, bytes.byteLength));
    await this.#write(bytes);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; at += SEND_PIECE_BYTES) {
      const more = this.#stream.send(bytes.subarray(at, at + SEND_PIECE_BYTES));
      if (!more) await this.#stream.drained({ signal: this.#over.signal });
    }
  }

  #answer(id: number, error: CidcastError): void {
    this.#stream.send(encodeFrame({ type: "error", id, code: error.code, message: error.message }));
  }

  /** Waits for a frame, or for the end of the stream. */
  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }

  /** Waits for something to change; a receiver that gives no credit for long is given up. */
  async #credit(): Promise<void> {
    const cancel: Cancel = this.#components.clock.after(CREDIT_TIMEOUT_MS, () => {
      this.#components.metrics.limits.add(1, { limit: "credit_timeout" });
      this.#fail(new CidcastError("TIMEOUT", `No credit was given for ${CREDIT_TIMEOUT_MS} ms`));
    });
    await this.#change();
    cancel();
  }

  #kick(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #fail(error: unknown): void {
    if (this.#over.signal.aborted) return;
    const reason =
      error instanceof FrameError
        ? new CidcastError("INVALID_REQUEST", error.message, { cause: error })
        : toCidcastError(error);
    this.#components.log.debug(
      { peer: this.#stream.peerId, reason: reason.message },
      "content stream failed",
    );
    try {
      this.#answer(0, reason);
      void this.#closeSoon(reason);
    } catch {
      this.#stream.abort(reason);
    }
    this.#over.abort();
    this.#kick();
  }

  /** Closes in good order, so that the error arrives: an abort would overtake it. */
  async #closeSoon(reason: CidcastError): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) });
    } catch {
      this.#stream.abort(reason);
    }
  }
}

/** Blocks of which one that cannot be read is as good as missing: the receiver asks somebody else. */
function readable({ blocks, log }: ContentSenderComponents): TransferBlocks {
  return {
    has: cid => blocks.has(cid),
    put: (cid, bytes) => blocks.put(cid, bytes),
    async get(cid) {
      try {
        return await blocks.get(cid);
      } catch (error) {
        const level = isCidcastError(error, "CONTENT_BLOCKED") ? "debug" : "warn";
        log[level]({ cid: cid.toString(), reason: messageOf(error) }, "block cannot be sent");
        return undefined;
      }
    },
  };
}
