import { AV_NOPTS_VALUE, AVDISCARD_ALL, AVERROR_EOF, AVSEEK_FLAG_BACKWARD } from "node-av/constants";
import { FFmpegError, Packet, type Stream } from "node-av/lib";
import type { FoundPacket } from "../protocol.ts";
import type { ByteCache } from "./byte-cache.ts";
import { FormatReader } from "./format-reader.ts";

/** Packets of one answer; bytes, and microseconds of media, after which it is long enough. */
const BATCH_PACKETS = 32;
const BATCH_BYTES = 256 * 1024;
const BATCH_US = 500_000;

/** How far before the wanted time a search begins that found nothing, microseconds; the last is the start of the file. */
const STEPS_BACK_US = [
  500_000,
  2_500_000,
  6_000_000,
  12_000_000,
  30_000_000,
  Number.POSITIVE_INFINITY,
] as const;

/** Bytes kept of what lies between a keyframe and the wanted time. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

export interface CursorInit {
  readonly format: string;
  readonly searched: boolean;
  readonly cache: ByteCache;
  /** Where the media begins on the file's own clock. */
  readonly startUs: number;
  readonly track: number;
  readonly maxFrameBytes: number;
}

export interface Batch {
  readonly packets: readonly FoundPacket[];
  readonly ended: boolean;
  readonly damage?: string;
}

type How = "first" | "at" | "key" | "order";

/** One way through a track: finds a place, then gives packet after packet. */
export class Cursor {
  readonly #init: CursorInit;
  readonly #packet = new Packet();
  #reader: FormatReader | undefined;
  #waiting: FoundPacket[] = [];
  #lastUs = 0;
  #fresh = true;
  #ended = false;
  #damage: string | undefined;

  constructor(init: CursorInit) {
    this.#init = init;
    this.#packet.alloc();
  }

  /** Goes to a packet: the first one, the last at or before a time, or the last such keyframe. Empty where there is none. */
  async find(how: How, atUs: number): Promise<Batch> {
    const reader = await this.#open(how === "first" && !this.#fresh);
    this.#waiting = [];
    if (how === "first") return this.next();
    // With an index the right place is found at once.
    for (const back of this.#init.searched ? STEPS_BACK_US : [0, ...STEPS_BACK_US]) {
      const fromUs = Math.max(0, atUs - back);
      await this.#seek(reader, fromUs);
      if (await this.#search(how, atUs)) return this.#found();
      if (fromUs === 0) break;
    }
    return { packets: [], ended: true };
  }

  /** The next packets. */
  next(): Promise<Batch> {
    return this.#give(() => this.#read());
  }

  /** What has been read on the way: who waits for a place gets it without more reading. */
  #found(): Promise<Batch> {
    return this.#give(async () => undefined);
  }

  async #give(read: () => Promise<FoundPacket | undefined>): Promise<Batch> {
    const packets: FoundPacket[] = [];
    let bytes = 0;
    let fromUs: number | undefined;
    while (packets.length < BATCH_PACKETS && bytes < BATCH_BYTES) {
      const packet = this.#waiting.shift() ?? (await read());
      if (packet === undefined) break;
      packets.push(packet);
      bytes += packet.data.length;
      fromUs ??= packet.dtsUs;
      if (this.#waiting.length === 0 && packet.dtsUs - fromUs > BATCH_US) break;
    }
    const ended = this.#ended && this.#waiting.length === 0;
    return { packets, ended, ...(ended && this.#damage !== undefined ? { damage: this.#damage } : {}) };
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
    this.#packet.free();
  }

  async #open(anew: boolean): Promise<FormatReader> {
    if (anew) {
      await this.#reader?.close();
      this.#reader = undefined;
    }
    if (this.#reader === undefined) {
      const { format, cache, track } = this.#init;
      this.#reader = await FormatReader.open(format, cache);
      for (const stream of this.#reader.context.streams) {
        if (stream.index !== track) stream.discard = AVDISCARD_ALL;
      }
      this.#fresh = true;
    }
    this.#ended = false;
    this.#damage = undefined;
    return this.#reader;
  }

  async #seek(reader: FormatReader, toUs: number): Promise<void> {
    const { track, startUs } = this.#init;
    const { num, den } = this.#stream().timeBase;
    const ticks = BigInt(Math.floor(((toUs + startUs) * den) / (num * 1e6)));
    const result = await reader.run(() => reader.context.seekFrame(track, ticks, AVSEEK_FLAG_BACKWARD));
    // Some cannot go before their first keyframe: then they are read from the start.
    if (result < 0) await this.#open(true);
    this.#fresh = false;
    this.#ended = false;
    this.#damage = undefined;
    this.#lastUs = toUs;
  }

  /** Reads on until what is wanted must have come; what was found waits with all after it. */
  async #search(how: How, atUs: number): Promise<boolean> {
    this.#waiting = [];
    let bytes = 0;
    for (let packet = await this.#read(); packet !== undefined; packet = await this.#read()) {
      const timeUs = how === "order" ? packet.dtsUs : packet.ptsUs;
      const begins = timeUs <= atUs && (how !== "key" || packet.key);
      if (begins) {
        this.#waiting = [];
        bytes = 0;
      }
      if (begins || this.#waiting.length > 0) this.#waiting.push(packet);
      bytes += packet.data.length;
      // With an index the first keyframe is the right one already.
      if (begins && how === "key" && !this.#init.searched) return true;
      if (packet.dtsUs > atUs || bytes > MAX_WAITING_BYTES) break;
    }
    return this.#waiting.length > 0;
  }

  #stream(): Stream {
    const stream = this.#reader?.context.streams[this.#init.track];
    if (stream === undefined) throw new Error(`The file has no track ${this.#init.track} any more`);
    return stream;
  }

  async #read(): Promise<FoundPacket | undefined> {
    const reader = this.#reader;
    if (reader === undefined || this.#ended) return undefined;
    const packet = this.#packet;
    for (;;) {
      packet.unref();
      const result = await reader.run(() => reader.context.readFrame(packet));
      this.#fresh = false;
      if (result < 0) {
        this.#ended = true;
        if (result !== AVERROR_EOF) this.#damage = new FFmpegError(result).message;
        return undefined;
      }
      const { data } = packet;
      if (packet.streamIndex !== this.#init.track || data === null || data.length === 0) continue;
      if (data.length <= this.#init.maxFrameBytes) return this.#seen(data);
      this.#ended = true;
      this.#damage = `A frame of ${data.length} bytes is larger than ${this.#init.maxFrameBytes}`;
      return undefined;
    }
  }

  #seen(data: Buffer): FoundPacket {
    const { num, den } = this.#stream().timeBase;
    const us = (ticks: bigint): number => (Number(ticks) * num * 1e6) / den;
    const { pts, dts, duration, isKeyframe, pos } = this.#packet;
    const { startUs } = this.#init;
    const decodedUs = dts === AV_NOPTS_VALUE ? undefined : us(dts) - startUs;
    const ptsUs = pts === AV_NOPTS_VALUE ? (decodedUs ?? this.#lastUs) : us(pts) - startUs;
    const dtsUs = decodedUs ?? ptsUs;
    const durationUs = us(duration);
    this.#lastUs = dtsUs + durationUs;
    const place = pos >= 0n ? { position: Number(pos) } : {};
    return { data: Uint8Array.from(data), ptsUs, dtsUs, durationUs, key: isKeyframe, ...place };
  }
}
