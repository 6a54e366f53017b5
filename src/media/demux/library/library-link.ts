import { type Cancel, CidcastError, type Clock } from "../../../core/index.ts";
import { DEMUX_MAX_CRASHES, DEMUX_STALL_MS } from "../../limits.ts";
import type { EncoderPool } from "../../transcode/jobs/encoder-pool.ts";
import type { EncoderProcess } from "../../transcode/jobs/encoder-process.ts";
import type { ReadRange } from "../media-file.ts";
import { type DemuxFromChild, type DemuxToChild, isFromDemux } from "./protocol.ts";
import type { LibraryFormat } from "./formats.ts";

export interface LibraryLinkInit {
  readonly cid: string;
  readonly size: number;
  readonly format: LibraryFormat;
  readonly read: ReadRange;
  readonly pool: Pick<EncoderPool, "take" | "giveBack">;
  readonly clock: Clock;
}

type Opened = Extract<DemuxFromChild, { type: "demux-opened" }>;
type Packets = Extract<DemuxFromChild, { type: "demux-packets" }>;
type Answer = Opened | Packets;

/** Distributes over the union, so that each message loses its own number only. */
type WithoutRequest<T> = T extends { readonly request: number } ? Omit<T, "request"> : never;
export type DemuxRequest = WithoutRequest<DemuxToChild>;

interface Run {
  readonly process: EncoderProcess;
  readonly opened: Promise<Opened>;
}

/** A file in a demuxer's process: brings it the bytes it asks for, and starts another where one dies. */
export class LibraryLink {
  readonly #init: LibraryLinkInit;
  readonly #requests = new Map<number, PromiseWithResolvers<Answer>>();
  #run: Promise<Run> | undefined;
  #process: EncoderProcess | undefined;
  #crashes = 0;
  #reading = 0;
  #closed = false;
  /** Why bytes could not be had: what the demuxer makes of it is not the truth about the file. */
  #readError: unknown;
  #stall: Cancel | undefined;

  constructor(init: LibraryLinkInit) {
    this.#init = init;
  }

  /** Counts the processes: cursors of an earlier one are gone. */
  get generation(): number {
    return this.#crashes;
  }

  async open(): Promise<Opened> {
    return (await (this.#run ??= this.#begin())).opened;
  }

  async packets(request: DemuxRequest): Promise<Packets> {
    const { process, opened } = await (this.#run ??= this.#begin());
    await opened;
    const answer = await this.#ask(process, request);
    if (answer.type !== "demux-packets") throw new Error("The demuxer answered something else");
    return answer;
  }

  drop(cursor: number): void {
    this.#process?.send({ type: "demux-drop", cursor });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#fail(new CidcastError("ABORTED", `${this.#init.cid} was closed`));
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined) return;
    process.send({ type: "demux-close" });
    this.#init.pool.giveBack(process);
  }

  async #begin(): Promise<Run> {
    const { cid, format, pool, size } = this.#init;
    if (this.#crashes > DEMUX_MAX_CRASHES) {
      throw new CidcastError(
        "CORRUPT_MEDIA",
        `${cid} makes the demuxer crash: it is damaged or made to do harm`,
      );
    }
    const process = await pool.take();
    if (this.#closed) {
      pool.giveBack(process);
      throw new CidcastError("ABORTED", `${cid} was closed`);
    }
    this.#process = process;
    process.listen(message => {
      if (isFromDemux(message)) this.#hear(process, message);
    });
    void process.exited.then(why => this.#died(process, why));
    const opened = this.#ask(process, {
      type: "demux-open",
      format: format.name,
      searched: format.searched,
      size,
    }).then(answer => {
      if (answer.type !== "demux-opened") throw new Error("The demuxer answered something else");
      return answer;
    });
    opened.catch(() => undefined);
    return { process, opened };
  }

  async #ask(process: EncoderProcess, request: DemuxRequest): Promise<Answer> {
    this.#readError = undefined;
    // Numbers are the process' own: what it answers late to who had it before is told apart.
    const number = process.nextJob();
    const waiting = Promise.withResolvers<Answer>();
    this.#requests.set(number, waiting);
    this.#watch();
    process.send({ ...request, request: number });
    if (process.gone) this.#died(process, "it is gone");
    return waiting.promise;
  }

  #hear(process: EncoderProcess, message: DemuxFromChild): void {
    if (process !== this.#process) return;
    if (message.type === "demux-read") {
      void this.#bring(process, message);
    } else {
      const waiting = this.#requests.get(message.request);
      this.#requests.delete(message.request);
      const failed = message.type === "demux-failed";
      if ((failed || (message.type === "demux-packets" && message.ended)) && this.#readError !== undefined) {
        waiting?.reject(this.#readError);
      } else if (failed) {
        waiting?.reject(
          new CidcastError("CORRUPT_MEDIA", `${this.#init.cid} cannot be read: ${message.message}`),
        );
      } else {
        waiting?.resolve(message);
      }
    }
    this.#watch();
  }

  async #bring(
    process: EncoderProcess,
    { read, start, end }: Extract<DemuxFromChild, { type: "demux-read" }>,
  ): Promise<void> {
    this.#reading += 1;
    try {
      const data = await this.#init.read(start, end);
      process.send({ type: "demux-bytes", read, data });
    } catch (error) {
      this.#readError = error;
      process.send({ type: "demux-bytes", read });
    } finally {
      this.#reading -= 1;
      this.#watch();
    }
  }

  /** A demuxer that is asked, has its bytes and says nothing is as good as dead. */
  #watch(): void {
    this.#stall?.();
    const waits = this.#requests.size > 0 && this.#reading === 0 && !this.#closed;
    this.#stall = waits ? this.#init.clock.after(DEMUX_STALL_MS, () => this.#process?.kill()) : undefined;
  }

  #died(process: EncoderProcess, why: string): void {
    if (process !== this.#process) return;
    this.#process = undefined;
    this.#run = undefined;
    this.#crashes += 1;
    this.#fail(new CidcastError("TRANSCODE_FAILED", `The demuxer of ${this.#init.cid} died: ${why}`));
  }

  #fail(error: CidcastError): void {
    this.#stall?.();
    for (const waiting of this.#requests.values()) waiting.reject(error);
    this.#requests.clear();
  }
}
