import type { CID } from "multiformats/cid";
import { CidcastError, messageOf } from "../../core/index.ts";
import type { DemuxedTrack } from "../demux/track.ts";
import type { OpenFile } from "../source/open-files.ts";
import { profileOf } from "../transcode/profile.ts";
import type { AudioJobSpec } from "../transcode/protocol.ts";
import type { AudioTrackInfo, RtpCodec, TrackInfo, VideoTrackInfo } from "../types.ts";
import { planExtras } from "./extras.ts";
import type { JobStore, MadeSegment } from "./job-store.ts";
import { type LadderCodec, type LadderOptions, ladderOf, type Rung } from "./ladder.ts";
import { type RenditionPlan, type TrackPlan, writeManifest } from "./manifest-writer.ts";
import { WORK_SHARE } from "./meter.ts";
import {
  COMPLETE,
  copyTrack,
  GOP_US,
  makeSound,
  makeSpan,
  SEGMENT_US,
  type SpanTask,
  type TaskTools,
} from "./tasks.ts";
import { PREPARE_SPAN_SEGMENTS } from "../limits.ts";
import type { PrepareContent } from "./types.ts";

/** What a ladder is made of. */
export interface LadderInit extends LadderOptions {
  readonly jobId: string;
  readonly file: OpenFile;
  readonly store: JobStore;
  readonly content: PrepareContent;
  /** Encoders at work at a time. */
  readonly workers: number;
}

type Task = () => Promise<void>;

/** A rendition as it is planned: what goes into the manifest, and how it is made. */
interface Plan {
  readonly track: TrackInfo;
  readonly plan: RenditionPlan;
}

/** Makes what is still missing of a ladder, then its manifest; gives back the root and the bytes of its segments. */
export async function makeLadder(
  tools: TaskTools,
  init: LadderInit,
): Promise<{ readonly root: CID; readonly bytes: number }> {
  const here = await stillHere(tools, init);
  const plans: Plan[] = [];
  const tasks: Task[] = [];
  for (const track of init.file.info.tracks) {
    const input = init.file.tracks.get(track.id);
    if (input === undefined || track.verdict.mode === "unplayable") continue;
    const planned =
      track.kind === "video"
        ? await planPictures(tools, init, { track, input, here })
        : await planSound(tools, { track, input, here });
    plans.push(...planned.plans);
    tasks.push(...planned.tasks);
  }
  const extras = await planExtras(tools, init);
  // Small ones last: they fill up what the large ones leave of the encoders at the end.
  await runAll([...tasks, ...extras.tasks], init.workers);
  tools.signal.throwIfAborted();
  const made = await init.store.made(init.jobId);
  const tracks = tracksOf(plans, made);
  const root = await writeManifest(init.content, { source: init.file.cid, tracks, extras: extras.made });
  return { root, bytes: made.reduce((sum, segment) => sum + segment.bytes, 0) };
}

/** What an earlier run has made, as far as its blocks are still here: by track, rendition and number. */
async function stillHere({ keeper }: TaskTools, { store, jobId }: LadderInit): Promise<Set<string>> {
  const here = new Set<string>();
  const broken = new Set<string>();
  for (const segment of await store.made(jobId)) {
    const rendition = `${segment.track}/${segment.rendition}`;
    if (await keeper.isHere(segment)) here.add(`${rendition}/${segment.number}`);
    else broken.add(rendition);
  }
  // What is made in one go is whole or nothing.
  for (const rendition of broken) here.delete(`${rendition}/${COMPLETE}`);
  return here;
}

interface Planning<T extends TrackInfo> {
  readonly track: T;
  readonly input: DemuxedTrack;
  readonly here: ReadonlySet<string>;
}

interface Planned {
  readonly plans: readonly Plan[];
  readonly tasks: readonly Task[];
}

async function planPictures(
  tools: TaskTools,
  init: LadderInit,
  { track, input, here }: Planning<VideoTrackInfo>,
): Promise<Planned> {
  const { workers, codec = "h264" } = init;
  const rungs = ladderOf(track, init);
  const plans: Plan[] = rungs.map(rung => ({ track, plan: planOf(rung, codec) }));
  const tasks: Task[] = [];
  if (rungs.length > 0)
    tasks.push(...(await spanTasks({ tools, workers, codec, rungs, track, input, here })));
  // Rungs follow each other while they play: all are of one codec.
  if (track.verdict.mode === "passthrough" && (track.codec === codec || rungs.length === 0)) {
    const copied = planCopy(tools, { track, input, here }, rungs.length > 0);
    plans.push(...copied.plans);
    tasks.push(...copied.tasks);
  }
  return { plans, tasks };
}

async function spanTasks({
  tools,
  workers,
  codec,
  rungs,
  track,
  input,
  here,
}: Planning<VideoTrackInfo> & {
  readonly tools: TaskTools;
  readonly workers: number;
  readonly codec: LadderCodec;
  readonly rungs: readonly Rung[];
}): Promise<Task[]> {
  const job = profileOf(track, input)?.spec(0);
  if (job?.kind !== "video") {
    throw new CidcastError("UNSUPPORTED_MEDIA", `${track.id}: the pictures are too large to encode`);
  }
  if (track.durationSeconds <= 0) {
    throw new CidcastError("UNSUPPORTED_MEDIA", `${track.id}: the file does not tell how long it is`);
  }
  const names = rungs.map(rung => rung.name);
  const count = Math.ceil((track.durationSeconds * 1e6) / SEGMENT_US);
  const isHere = (number: number): boolean => names.every(name => here.has(`${track.id}/${name}/${number}`));
  const spec: SpanTask["spec"] = {
    kind: "ladder",
    decoder: job.decoder,
    rotation: job.rotation,
    mirrored: job.mirrored,
    gopUs: GOP_US,
    segmentUs: SEGMENT_US,
    rungs: rungs.map(rung => ({ ...rung, codec, maxBitrateBps: rung.bitrateBps })),
  };
  const tasks: Task[] = [];
  // Short media is shared out to all encoders; in long media a run is long enough that few pictures are decoded twice.
  const longest = Math.min(PREPARE_SPAN_SEGMENTS, Math.ceil(count / workers));
  let before = 0;
  for (let from = 0; from < count; ) {
    if (isHere(from)) {
      before += Math.min(SEGMENT_US / 1e6, track.durationSeconds - (from * SEGMENT_US) / 1e6);
      from += 1;
      continue;
    }
    let to = from + 1;
    while (to < count && to - from < longest && !isHere(to)) to += 1;
    const task: SpanTask = { track, input, spec, names, from, to, count };
    tasks.push(() => makeSpan(tools, task));
    from = to;
  }
  tools.meter.plan(track.durationSeconds * WORK_SHARE.pictures, before * WORK_SHARE.pictures);
  return tasks;
}

async function planSound(
  tools: TaskTools,
  { track, input, here }: Planning<AudioTrackInfo>,
): Promise<Planned> {
  if (track.verdict.mode === "passthrough") return planCopy(tools, { track, input, here }, false);
  const profile = profileOf(track, input);
  const job = profile?.spec(0);
  if (profile === undefined || job?.kind !== "audio") return { plans: [], tasks: [] };
  const plan: RenditionPlan = { name: "opus", codec: "opus", bitrateBps: job.bitrateBps, channels: 2 };
  const spec: AudioJobSpec = job;
  const work = track.durationSeconds * WORK_SHARE.sound;
  const whole = here.has(`${track.id}/opus/${COMPLETE}`);
  tools.meter.plan(work, whole ? work : 0);
  const task = (): Promise<void> => makeSound(tools, { track, input, rendition: "opus", spec });
  return { plans: [{ track, plan }], tasks: whole ? [] : [task] };
}

/** The track's own frames as a rendition. Where others stand beside it, it may be left out. */
function planCopy(tools: TaskTools, { track, input, here }: Planning<TrackInfo>, optional: boolean): Planned {
  const video = track.kind === "video" ? track : undefined;
  // The verdict says that the codec leaves the node as it is.
  const codec = track.codec as RtpCodec;
  const plan: RenditionPlan = {
    name: "source",
    codec,
    bitrateBps: track.bitrateBps,
    ...(video === undefined
      ? { channels: track.kind === "audio" ? track.channels : 2 }
      : { width: video.codedWidth, height: video.codedHeight, frameRate: video.frameRate }),
  };
  const work = track.durationSeconds * WORK_SHARE.copy;
  const whole = here.has(`${track.id}/source/${COMPLETE}`);
  tools.meter.plan(work, whole ? work : 0);
  const task = async (): Promise<void> => {
    try {
      await copyTrack(tools, { track, input, rendition: "source", codec });
    } catch (error) {
      if (!optional || !(error instanceof CidcastError) || error.code !== "CORRUPT_MEDIA") throw error;
      tools.log.warn({ track: track.id, reason: messageOf(error) }, "the source is no rung of its ladder");
    }
  };
  return { plans: [{ track, plan }], tasks: whole ? [] : [task] };
}

function planOf(rung: Rung, codec: LadderCodec): RenditionPlan {
  const { name, width, height, frameRate, bitrateBps } = rung;
  return { name, codec, width, height, frameRate, bitrateBps };
}

function tracksOf(plans: readonly Plan[], made: readonly MadeSegment[]): TrackPlan[] {
  const tracks = new Map<TrackInfo, { plan: RenditionPlan; segments: readonly MadeSegment[] }[]>();
  for (const { track, plan } of plans) {
    const segments = made.filter(segment => segment.track === track.id && segment.rendition === plan.name);
    const renditions = tracks.get(track) ?? [];
    renditions.push({ plan, segments });
    tracks.set(track, renditions);
  }
  return [...tracks].map(([track, renditions]) => ({ track, renditions }));
}

/** Runs tasks, so many at a time; the first failure ends it once those under way are over. */
async function runAll(tasks: readonly Task[], workers: number): Promise<void> {
  const waiting = [...tasks];
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      try {
        await task();
      } catch (error) {
        failures.push(error);
        waiting.length = 0;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, tasks.length) }, work));
  if (failures.length > 0) throw failures[0];
}
