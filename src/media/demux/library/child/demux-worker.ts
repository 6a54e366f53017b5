import { AV_LOG_QUIET, AV_NOPTS_VALUE } from "node-av/constants";
import { Log } from "node-av/lib";
import { messageOf } from "../../../../core/index.ts";
import type { DemuxFromChild, DemuxToChild } from "../protocol.ts";
import { ByteCache } from "./byte-cache.ts";
import { Cursor, type CursorInit } from "./cursor.ts";
import { FormatReader } from "./format-reader.ts";
import { isCover, trackFacts } from "./track-facts.ts";

type Open = Extract<DemuxToChild, { type: "demux-open" }>;
type Find = Extract<DemuxToChild, { type: "demux-find" }>;

/** One file at a time, read by cursors. */
export class DemuxWorker {
  readonly #send: (message: DemuxFromChild) => void;
  readonly #reads = new Map<number, PromiseWithResolvers<Buffer>>();
  readonly #cursors = new Map<number, Cursor>();
  #file: Omit<CursorInit, "track" | "maxFrameBytes"> | undefined;
  #lastRead = 0;

  constructor(send: (message: DemuxFromChild) => void) {
    Log.setLevel(AV_LOG_QUIET);
    this.#send = send;
  }

  receive(message: DemuxToChild): void {
    if (message.type === "demux-bytes") this.#bytes(message.read, message.data);
    else if (message.type === "demux-open") this.#answer(message.request, () => this.#open(message));
    else if (message.type === "demux-find") this.#answer(message.request, () => this.#find(message));
    else if (message.type === "demux-next") {
      const { cursor, request } = message;
      this.#answer(request, async () => {
        const batch = await this.#cursors.get(cursor)?.next();
        if (batch === undefined) throw new Error(`There is no cursor ${cursor}`);
        return { type: "demux-packets", request, ...batch, packets: [...batch.packets] };
      });
    } else if (message.type === "demux-drop") this.#drop(message.cursor);
    else this.#close();
  }

  #answer(request: number, work: () => Promise<DemuxFromChild>): void {
    work().then(this.#send, (error: unknown) =>
      this.#send({ type: "demux-failed", request, message: messageOf(error) }),
    );
  }

  async #open({ request, format, searched, size }: Open): Promise<DemuxFromChild> {
    this.#close();
    const cache = new ByteCache(size, (start, end) => this.#fetch(start, end));
    const reader = await FormatReader.open(format, cache);
    try {
      const { context } = reader;
      const startUs = context.startTime === AV_NOPTS_VALUE ? 0 : Math.max(0, Number(context.startTime));
      this.#file = { format, searched, cache, startUs };
      const covers = context.streams.filter(isCover);
      const tracks = context.streams.filter(stream => !covers.includes(stream));
      return {
        type: "demux-opened",
        request,
        tracks: tracks
          .map(stream => trackFacts(context, stream, !searched))
          .filter(track => track !== undefined),
        pictures: covers.length,
      };
    } finally {
      await reader.close();
    }
  }

  async #find({ request, cursor: number, track, how, atUs, maxFrameBytes }: Find): Promise<DemuxFromChild> {
    const file = this.#file;
    if (file === undefined) throw new Error("No file is open");
    let cursor = this.#cursors.get(number);
    if (cursor === undefined) {
      cursor = new Cursor({ ...file, track, maxFrameBytes });
      this.#cursors.set(number, cursor);
    }
    const batch = await cursor.find(how, atUs);
    return { type: "demux-packets", request, ...batch, packets: [...batch.packets] };
  }

  #fetch(start: number, end: number): Promise<Buffer> {
    const read = ++this.#lastRead;
    const waiting = Promise.withResolvers<Buffer>();
    this.#reads.set(read, waiting);
    this.#send({ type: "demux-read", read, start, end });
    return waiting.promise;
  }

  #bytes(read: number, data: Uint8Array | undefined): void {
    const waiting = this.#reads.get(read);
    this.#reads.delete(read);
    if (data === undefined) waiting?.reject(new Error("These bytes cannot be had"));
    else waiting?.resolve(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }

  #drop(number: number): void {
    const cursor = this.#cursors.get(number);
    this.#cursors.delete(number);
    cursor?.close().catch(() => undefined);
  }

  /** Ends reading: what still waits for bytes gets none. */
  #close(): void {
    for (const waiting of this.#reads.values()) waiting.reject(new Error("The file was closed"));
    this.#reads.clear();
    for (const number of this.#cursors.keys()) this.#drop(number);
    this.#file = undefined;
  }
}
