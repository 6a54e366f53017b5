import { CidcastError, type Clock, type Logger } from "../../core/index.ts";
import { formatterFor } from "../demux/frame-format.ts";
import type { DemuxedTrack } from "../demux/track.ts";
import { PREPARE_SEGMENT_SECONDS } from "../limits.ts";
import type { EncoderPool } from "../transcode/jobs/encoder-pool.ts";
import type { AudioJobSpec, LadderJobSpec, Packet } from "../transcode/protocol.ts";
import type { RtpCodec, TrackInfo } from "../types.ts";
import { encodeRun } from "./encode-run.ts";
import type { MadeSegment } from "./job-store.ts";
import { microseconds } from "./manifest-writer.ts";
import { type Meter, WORK_SHARE } from "./meter.ts";
import type { SegmentKeeper } from "./segment-keeper.ts";
import { SegmentCutter, segmentFile, type TimedData } from "./segment-writer.ts";

export const SEGMENT_US = PREPARE_SEGMENT_SECONDS * 1e6;
/** Length of a GOP of a prepared ladder, microseconds. */
export const GOP_US = 1e6;

/** What every task is given. */
export interface TaskTools {
  readonly keeper: SegmentKeeper;
  readonly meter: Meter;
  readonly pool: EncoderPool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A run of segments of a track's ladder, made in one go. */
export interface SpanTask {
  readonly track: TrackInfo;
  readonly input: DemuxedTrack;
  readonly spec: Omit<LadderJobSpec, "fromUs" | "untilUs">;
  readonly names: readonly string[];
  /** Numbers of the first segment and of the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Segments of the whole track. */
  readonly count: number;
}

/** Makes a run of segments in all sizes. Each is kept as soon as it is whole. */
export async function makeSpan(tools: TaskTools, task: SpanTask): Promise<void> {
  const { keeper, meter, log, signal } = tools;
  const { track, names, from, to, count } = task;
  const last = to >= count;
  const durationUs = microseconds(track.durationSeconds);
  const packets = task.input.packets(error =>
    log.warn({ track: track.id, err: error }, "the file is damaged here, its ladder has a hole"),
  );
  const writing: Promise<void>[] = [];
  const done = new Set<string>();
  const late: MadeSegment[] = [];
  const cutters = names.map(rendition => {
    const onSegment = (number: number, gops: readonly (readonly TimedData[])[]): void => {
      done.add(`${rendition}/${number}`);
      const endUs = Math.min((number + 1) * SEGMENT_US, Math.max(durationUs, number * SEGMENT_US + 1));
      const made = keeper.write({ track: track.id, rendition, number }, { file: segmentFile(gops), endUs });
      // What lies past the stated end counts as one with the last segment: kept together or not at all.
      writing.push(
        made.then(async segment => (number >= count - 1 ? void late.push(segment) : keeper.keep([segment]))),
      );
      writing.at(-1)?.catch(() => undefined);
    };
    return new SegmentCutter({ segmentUs: SEGMENT_US, gopUs: undefined, onSegment });
  });
  const formats = task.spec.rungs.map(({ codec }) => formatterFor(codec, undefined));
  let atUs = from * SEGMENT_US;
  const take = ({ data, key, ptsUs, rung = 0 }: Packet): void => {
    const frame = formats[rung]?.(data, key);
    if (frame === undefined) return;
    cutters[rung]?.push({ frame, ptsUs });
    if (rung !== names.length - 1) return;
    meter.add((Math.max(0, ptsUs - atUs) / 1e6) * WORK_SHARE.pictures, 1);
    atUs = Math.max(atUs, ptsUs);
  };
  await encodeRun({
    ...tools,
    spec: {
      ...task.spec,
      fromUs: from * SEGMENT_US,
      untilUs: last ? Number.MAX_SAFE_INTEGER : to * SEGMENT_US,
    },
    first: await packets.keyAt((from * SEGMENT_US) / 1e6),
    packets,
    onFrames: frames => frames.forEach(take),
    room: () => keeper.room(),
  });
  for (const cutter of cutters) cutter.finish();
  await Promise.all(writing);
  signal.throwIfAborted();
  for (const rendition of names) {
    for (let number = from; number < to; number++) {
      if (done.has(`${rendition}/${number}`)) continue;
      late.push(emptySegment(track.id, rendition, number));
    }
  }
  await keeper.keep(late);
  const endUs = last ? durationUs : to * SEGMENT_US;
  meter.add((Math.max(0, endUs - atUs) / 1e6) * WORK_SHARE.pictures);
}

/** Says that a time has no frames, or with {@link COMPLETE} that a rendition is whole. */
export function emptySegment(track: string, rendition: string, number: number): MadeSegment {
  return { track, rendition, number, cid: "", startUs: 0, durationUs: 0, bytes: 0, gops: [] };
}

/** Number of the row that says that a rendition made in one go is whole. */
export const COMPLETE = -1;

/** A track's sound, or its frames as they are, made from beginning to end. */
export interface WholeTask {
  readonly track: TrackInfo;
  readonly input: DemuxedTrack;
  readonly rendition: string;
}

/** Encodes a track's sound in one go: what is cut afterwards fits together without a seam. */
export async function makeSound(
  tools: TaskTools,
  task: WholeTask & { readonly spec: AudioJobSpec },
): Promise<void> {
  const { track } = task;
  const durationUs = microseconds(track.durationSeconds);
  const whole = new WholeRendition(tools, task);
  const packets = task.input.packets(error =>
    tools.log.warn({ track: track.id, err: error }, "the file is damaged here, its sound ends early"),
  );
  await encodeRun({
    ...tools,
    spec: task.spec,
    first: await packets.first(),
    packets,
    onFrames: frames => {
      for (const { data, ptsUs } of frames) {
        // The last sound is padded to whole frames; what lies past the end is padding alone.
        if (durationUs > 0 && ptsUs >= durationUs) continue;
        whole.push(
          { frame: { pieces: [data], byteLength: data.length, key: true }, ptsUs },
          WORK_SHARE.sound,
        );
      }
    },
    room: () => tools.keeper.room(),
  });
  await whole.finish();
}

/** Copies a track's own frames. Throws `CORRUPT_MEDIA` where they do not fit the format of segments. */
export async function copyTrack(
  tools: TaskTools,
  task: WholeTask & { readonly codec: RtpCodec },
): Promise<void> {
  const { track, codec, input } = task;
  const whole = new WholeRendition(tools, task);
  const packets = input.packets(error =>
    tools.log.warn({ track: track.id, err: error }, "the file is damaged here, its copy ends early"),
  );
  const format = formatterFor(codec, input.setup.description);
  for (let packet = await packets.first(); packet !== undefined; packet = await packets.next(packet)) {
    tools.signal.throwIfAborted();
    const frame = format(packet.data, packet.type === "key");
    if (frame === undefined) break;
    const ptsUs = Math.round(packet.timestamp * 1e6);
    // Before 0 lies the lead-in of a codec, which nobody hears.
    if (ptsUs < 0) continue;
    whole.push({ frame: track.kind === "audio" ? { ...frame, key: true } : frame, ptsUs }, WORK_SHARE.copy);
    await tools.keeper.room();
  }
  await whole.finish();
}

/** A rendition that is made in one go and kept once it is whole. */
class WholeRendition {
  readonly #tools: TaskTools;
  readonly #task: WholeTask;
  readonly #cutter: SegmentCutter;
  readonly #writing: Promise<MadeSegment>[] = [];
  #before: { readonly number: number; readonly gops: readonly (readonly TimedData[])[] } | undefined;
  #atUs = 0;

  constructor(tools: TaskTools, task: WholeTask) {
    this.#tools = tools;
    this.#task = task;
    this.#cutter = new SegmentCutter({
      segmentUs: SEGMENT_US,
      gopUs: task.track.kind === "audio" ? GOP_US : undefined,
      onSegment: (number, gops) => {
        this.#write(gops[0]?.[0]?.ptsUs ?? 0);
        this.#before = { number, gops };
      },
    });
  }

  push(timed: TimedData, share: number): void {
    this.#cutter.push(timed);
    this.#tools.meter.add((Math.max(0, timed.ptsUs - this.#atUs) / 1e6) * share);
    this.#atUs = Math.max(this.#atUs, timed.ptsUs);
  }

  async finish(): Promise<void> {
    const { track, rendition } = this.#task;
    this.#cutter.finish();
    this.#write(microseconds(track.durationSeconds));
    const segments = await Promise.all(this.#writing);
    if (segments.length === 0) {
      throw new CidcastError("CORRUPT_MEDIA", `${track.id} holds no frame that could be prepared`);
    }
    await this.#tools.keeper.keep([...segments, emptySegment(track.id, rendition, COMPLETE)]);
  }

  /** Writes the segment before, now that its end is known. */
  #write(endUs: number): void {
    if (this.#before === undefined) return;
    const { number, gops } = this.#before;
    this.#before = undefined;
    const place = { track: this.#task.track.id, rendition: this.#task.rendition, number };
    const writing = this.#tools.keeper.write(place, { file: segmentFile(gops), endUs });
    writing.catch(() => undefined);
    this.#writing.push(writing);
  }
}
