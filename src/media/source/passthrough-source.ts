import type { AbortOptions } from "../../core/index.ts";
import type { FrameFormatter } from "../demux/frame-format.ts";
import type { MediaPacket, PacketReader } from "../demux/track.ts";
import { SEGMENT_MAX_FRAMES, SEGMENT_MAX_SECONDS } from "../limits.ts";
import type { SegmentCache } from "../store/segment-cache.ts";
import { buildSegment, type TimedFrame } from "../store/segment-builder.ts";
import type { RenditionInfo, RenditionSource, Segment } from "../types.ts";

/** What a passthrough source is made of. */
export interface PassthroughInit {
  /** Names CID, track and rendition: the first part of each segment's key. */
  readonly name: string;
  readonly info: RenditionInfo;
  readonly durationSeconds: number;
  readonly packets: PacketReader;
  readonly format: FrameFormatter;
  readonly cache: SegmentCache;
}

/** Where a segment begins: microseconds are exact enough for every timescale and make a stable name. */
function placeOf(seconds: number): number {
  return Math.round(seconds * 1e6);
}

/**
 * Segments made of the file's own packets. Video is cut at keyframes and after a second; sound on whole seconds of its
 * own time, so that a seek and plain playing meet in the same segments.
 */
export class PassthroughSource implements RenditionSource {
  readonly info: RenditionInfo;
  readonly #init: PassthroughInit;
  readonly #isAudio: boolean;

  constructor(init: PassthroughInit) {
    this.#init = init;
    this.info = init.info;
    this.#isAudio = init.info.kind === "audio";
  }

  async segmentAt(timeSeconds: number, options: AbortOptions = {}): Promise<Segment | undefined> {
    options.signal?.throwIfAborted();
    const { durationSeconds } = this.#init;
    if (durationSeconds > 0 && timeSeconds >= durationSeconds) return undefined;
    const start = this.#isAudio
      ? await this.#firstOfSecond(Math.max(0, timeSeconds))
      : await this.#init.packets.keyAt(Math.max(0, timeSeconds));
    return start === undefined ? undefined : this.#from(start, options);
  }

  async segmentAfter(segment: Segment, options: AbortOptions = {}): Promise<Segment | undefined> {
    options.signal?.throwIfAborted();
    if (segment.last) return undefined;
    const kept = this.#init.cache.get(this.#key(segment.endSeconds));
    if (kept !== undefined) return kept;
    const start = await this.#packetAt(segment.endSeconds);
    return start === undefined ? undefined : this.#from(start, options);
  }

  #key(startSeconds: number): string {
    return `${this.#init.name}/${placeOf(startSeconds)}`;
  }

  /** The packet that starts at `seconds`, found anew: a segment outlives the demuxer that read it. */
  async #packetAt(seconds: number): Promise<MediaPacket | undefined> {
    // Half a microsecond more, or rounding in the container's timescale would give the packet before.
    const packet = await this.#init.packets.at(seconds + 5e-7);
    return packet === undefined || placeOf(packet.timestamp) >= placeOf(seconds)
      ? packet
      : this.#init.packets.next(packet);
  }

  /** The first packet of the whole second that holds `timeSeconds`, or the first one after it. */
  async #firstOfSecond(timeSeconds: number): Promise<MediaPacket | undefined> {
    const holding = (await this.#init.packets.at(timeSeconds)) ?? (await this.#init.packets.first());
    const second = Math.max(0, Math.floor(holding?.timestamp ?? 0));
    // At 0 the packet that holds it begins before when the codec's lead-in is cut off by an edit list.
    const packet = await this.#init.packets.at(second);
    if (packet === undefined || second === 0 || packet.timestamp >= second) return packet ?? holding;
    return this.#init.packets.next(packet);
  }

  #from(start: MediaPacket, options: AbortOptions): Promise<Segment | undefined> {
    const key = this.#key(start.timestamp);
    return this.#init.cache.load(key, () => this.#read(key, start), options);
  }

  async #read(key: string, start: MediaPacket): Promise<Segment | undefined> {
    const frames: TimedFrame[] = [];
    let packet: MediaPacket | undefined = start;
    let damaged = false;
    let end = start.timestamp;
    while (packet !== undefined && !this.#cutsBefore(packet, start, frames.length)) {
      const frame = this.#init.format(packet.data, packet.type === "key");
      if (frame === undefined) {
        damaged = true;
        break;
      }
      frames.push({ ...frame, ptsSeconds: packet.timestamp });
      end = Math.max(end, packet.timestamp + packet.duration);
      packet = await this.#init.packets.next(packet);
    }
    if (frames.length === 0) return undefined;
    const last = packet === undefined || damaged;
    return buildSegment(
      {
        key,
        index: placeOf(start.timestamp),
        endSeconds: damaged ? end : (packet?.timestamp ?? end),
        last,
        allKeys: this.#isAudio,
      },
      frames,
    );
  }

  #cutsBefore(packet: MediaPacket, start: MediaPacket, frames: number): boolean {
    if (frames === 0) return false;
    if (frames >= SEGMENT_MAX_FRAMES) return true;
    if (this.#isAudio) return Math.floor(packet.timestamp) > Math.max(0, Math.floor(start.timestamp));
    return packet.type === "key" || packet.timestamp - start.timestamp >= SEGMENT_MAX_SECONDS;
  }
}
