import { decodeGop, type ManifestSegment } from "@cidcast/protocols/media-manifest";
import type { AbortOptions } from "../../core/index.ts";
import { SEGMENT_MAX_FRAMES, SEGMENT_MAX_SECONDS } from "../limits.ts";
import { buildSegment, type TimedFrame } from "../store/segment-builder.ts";
import type { SegmentCache } from "../store/segment-cache.ts";
import type { RenditionInfo, RenditionSource, Segment } from "../types.ts";
import { corrupt, linkOf } from "./manifest-reader.ts";
import type { PrepareContent } from "./types.ts";

export interface PreparedInit {
  /** Names root, track and rendition: the first part of each segment's key. */
  readonly name: string;
  readonly info: RenditionInfo;
  readonly durationUs: number;
  readonly segments: readonly ManifestSegment[];
  readonly content: Pick<PrepareContent, "open">;
  readonly cache: SegmentCache;
}

/** A GOP of a rendition: its time, and where it lies. */
interface Gop {
  readonly startUs: number;
  readonly segment: ManifestSegment;
  readonly from: number;
  readonly to: number;
}

/** A prepared rendition: its GOPs are read from the segments of a manifest, each checked against it. */
export class PreparedSource implements RenditionSource {
  readonly info: RenditionInfo;
  readonly #init: PreparedInit;
  readonly #gops: readonly Gop[];

  constructor(init: PreparedInit) {
    this.#init = init;
    this.info = init.info;
    this.#gops = init.segments.flatMap(segment =>
      segment.gops.map(([startUs, from], i) => ({
        startUs,
        segment,
        from,
        to: segment.gops[i + 1]?.[1] ?? segment.bytes,
      })),
    );
  }

  async segmentAt(timeSeconds: number, options: AbortOptions = {}): Promise<Segment | undefined> {
    options.signal?.throwIfAborted();
    const timeUs = Math.max(0, timeSeconds * 1e6);
    if (this.#init.durationUs > 0 && timeUs >= this.#init.durationUs) return undefined;
    return this.#part(Math.max(0, this.#gopAt(timeUs)), 0, options);
  }

  async segmentAfter(segment: Segment, options: AbortOptions = {}): Promise<Segment | undefined> {
    options.signal?.throwIfAborted();
    if (segment.last) return undefined;
    const gop = this.#gopAt(segment.index);
    const place = this.#placeOf(segment);
    if (place === undefined) return this.#part(gop + 1, 0, options);
    return this.#part(gop, place + 1, options);
  }

  keyAfter(seconds: number): number | undefined {
    const timeUs = seconds * 1e6;
    const at = this.#gopAt(timeUs);
    const gop = this.#gops[this.#gops[at]?.startUs === timeUs ? at : at + 1];
    return gop === undefined ? undefined : gop.startUs / 1e6;
  }

  /** Number of the last GOP that begins at or before a time; -1 when there is none. */
  #gopAt(timeUs: number): number {
    let low = 0;
    let high = this.#gops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#gops[middle]?.startUs ?? 0) <= timeUs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Which part of its GOP a segment is; undefined when it is the last one. */
  #placeOf(segment: Segment): number | undefined {
    const [part = "0", more] = segment.key.slice(segment.key.lastIndexOf("/") + 1).split("+");
    return more === undefined ? undefined : Number(part);
  }

  /** A GOP comes in parts of a second: the key of each says its number, and `+` that more follow. */
  async #part(gop: number, part: number, options: AbortOptions): Promise<Segment | undefined> {
    const place = this.#gops[gop];
    if (place === undefined) return undefined;
    const { cache, name } = this.#init;
    const key = `${name}/${place.startUs}/${part}`;
    const load = (): Promise<Segment | undefined> => this.#read(gop, place, part, key);
    return cache.load(key, load, options);
  }

  async #read(gop: number, place: Gop, part: number, key: string): Promise<Segment | undefined> {
    const frames = await this.#frames(place);
    const parts = split(frames);
    const own = parts[part];
    if (own === undefined) return undefined;
    const more = parts[part + 1];
    const next = this.#gops[gop + 1];
    const { durationUs, info } = this.#init;
    const endSeconds =
      more?.[0]?.ptsSeconds ?? (next === undefined ? this.#end(own, durationUs) : next.startUs / 1e6);
    return buildSegment(
      {
        key: more === undefined ? key : `${key}+`,
        index: Math.round((own[0]?.ptsSeconds ?? 0) * 1e6),
        endSeconds,
        last: more === undefined && next === undefined,
        allKeys: info.kind === "audio",
      },
      own,
    );
  }

  #end(frames: readonly TimedFrame[], durationUs: number): number {
    return Math.max(durationUs / 1e6, frames.at(-1)?.ptsSeconds ?? 0);
  }

  async #frames({ segment, from, to, startUs }: Gop): Promise<TimedFrame[]> {
    const cid = linkOf(segment.cid).toString();
    await using file = await this.#init.content.open(cid);
    if (file.size !== segment.bytes) {
      throw corrupt(`The segment ${cid} has ${file.size} bytes, its manifest says ${segment.bytes}`);
    }
    const frames = decodeGop(await file.read(from, to));
    if (frames === undefined || frames[0]?.key !== true) {
      throw corrupt(`The segment ${cid} is not what its manifest says at byte ${from}`);
    }
    return frames.map(({ data, offsetUs, key, droppable }) => ({
      pieces: [data],
      byteLength: data.length,
      key,
      droppable,
      ptsSeconds: (startUs + offsetUs) / 1e6,
    }));
  }
}

/** Two microseconds: times are rounded to one. */
const ROUNDING_SECONDS = 2e-6;

/** Frames in runs of at most a second, and at most so many. */
function split(frames: readonly TimedFrame[]): TimedFrame[][] {
  const parts: TimedFrame[][] = [];
  for (const frame of frames) {
    const part = parts.at(-1);
    const start = part?.[0]?.ptsSeconds ?? 0;
    const full = part === undefined || part.length >= SEGMENT_MAX_FRAMES;
    if (full || frame.ptsSeconds - start >= SEGMENT_MAX_SECONDS - ROUNDING_SECONDS) parts.push([frame]);
    else part.push(frame);
  }
  return parts;
}
