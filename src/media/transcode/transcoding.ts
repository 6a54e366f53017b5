import { availableParallelism } from "node:os";
import {
  type Cancel,
  CidcastError,
  type Clock,
  type EventPublisher,
  type Logger,
  messageOf,
} from "../../core/index.ts";
import type { DemuxedTrack } from "../demux/track.ts";
import { MAX_AUDIO_JOBS, TRANSCODE_IDLE_MS, TRANSCODE_ORPHAN_MS, WARM_ENCODERS } from "../limits.ts";
import type { MediaMetrics } from "../metrics.ts";
import type { GopStore, Stored } from "../store/gop-store.ts";
import type { MediaEvents, TrackInfo } from "../types.ts";
import type { EncoderChoice } from "./encoder.ts";
import { EncoderPool } from "./jobs/encoder-pool.ts";
import type { TranscodeJob } from "./jobs/job.ts";
import { profileOf } from "./profile.ts";
import { type JobOffice, TranscodeTrack } from "./transcode-track.ts";

export interface TranscodingInit {
  /** Video jobs at a time; default one less than the cores, at least one. */
  readonly maxVideoJobs?: number | undefined;
  readonly maxAudioJobs?: number | undefined;
  /** Encoder processes kept ready. */
  readonly warmEncoders?: number | undefined;
  /** Folder of the node's own for compiled code of its encoders. */
  readonly codeCacheDir?: string | undefined;
}

export interface TranscodingComponents {
  readonly encoder: EncoderChoice;
  readonly store: GopStore<Stored>;
  readonly metrics: MediaMetrics;
  readonly events: EventPublisher<MediaEvents>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often jobs are looked over, milliseconds. */
const SWEEP_MS = 500;

/** Seconds after which a viewer that was refused may try again. */
const BUSY_RETRY_SECONDS = 5;

/** A track that is to be transcoded. */
interface TrackRequest {
  readonly cid: string;
  readonly info: TrackInfo;
  readonly input: DemuxedTrack;
  /** Seconds of media that are heard per second. */
  readonly tempo: number;
  /** Where it is kept what was wrong with a track. */
  readonly damage: Map<string, string>;
}

interface RunningJob {
  readonly track: TranscodeTrack;
  orphanSinceMs: number | undefined;
}

/** All transcode jobs of the node, within its limits. */
export class Transcoding implements JobOffice {
  readonly pool: EncoderPool;
  readonly #limits: { readonly video: number; readonly audio: number };
  readonly #components: TranscodingComponents;
  readonly #jobs = new Map<TranscodeJob, RunningJob>();
  #sweep: Cancel | undefined;

  constructor(init: TranscodingInit, components: TranscodingComponents) {
    this.#components = components;
    this.#limits = {
      video: init.maxVideoJobs ?? Math.max(1, availableParallelism() - 1),
      audio: init.maxAudioJobs ?? MAX_AUDIO_JOBS,
    };
    this.pool = new EncoderPool({
      ffmpegPath: components.encoder.kind === "ffmpeg" ? components.encoder.path : undefined,
      log: components.log,
      clock: components.clock,
      warm: init.warmEncoders ?? WARM_ENCODERS,
      codeCacheDir: init.codeCacheDir,
    });
  }

  /** Jobs under way. */
  get jobs(): readonly TranscodeJob[] {
    return [...this.#jobs.keys()];
  }

  start(): void {
    if (this.#components.encoder.kind !== "none") this.pool.warmUp();
  }

  /** A file was opened that needs so many jobs at once: their processes start before they are asked for. */
  expect(jobs: number): void {
    if (this.#components.encoder.kind !== "none" && jobs > 0) this.pool.warmUp(jobs);
  }

  async stop(): Promise<void> {
    for (const job of this.#jobs.keys()) job.stop("the node stops");
    this.#sweep?.();
    await this.pool.stop();
  }

  /** The transcode of a track. `ENCODER_MISSING` where nothing can encode. */
  async track({ cid, info, input, tempo, damage }: TrackRequest): Promise<TranscodeTrack> {
    const { clock, encoder, log, metrics, store } = this.#components;
    if (encoder.kind === "none") {
      throw new CidcastError("ENCODER_MISSING", `${info.verdict.reason}. ${encoder.reason}`, {
        details: { cid, trackId: info.id },
      });
    }
    const profile = profileOf(info, input, tempo);
    if (profile === undefined) {
      throw new CidcastError(
        "UNSUPPORTED_MEDIA",
        `${cid} ${info.id}: the pictures are too large to encode live`,
      );
    }
    return new TranscodeTrack({
      cid,
      trackId: info.id,
      durationSeconds: info.durationSeconds,
      profile,
      packets: input.packets(error => {
        damage.set(info.id, messageOf(error));
        log.warn({ cid, track: info.id, err: error }, "the file is damaged here, playing ends early");
      }),
      store,
      office: this,
      clock,
      log,
      onFirstSegment: seconds => metrics.transcodeFirstSegment.observe(seconds, { kind: info.kind }),
    });
  }

  full(kind: "video" | "audio"): boolean {
    return this.#count(kind, job => job.readers.size > 0) >= this.#limits[kind];
  }

  admit(kind: "video" | "audio"): void {
    for (const job of this.#jobs.keys()) {
      if (this.#count(kind) < this.#limits[kind]) return;
      if (job.kind === kind && job.readers.size === 0) job.stop("its place is needed");
    }
    if (this.#count(kind) < this.#limits[kind]) return;
    this.#components.metrics.transcodeRefused.add(1, { kind });
    const limit = this.#limits[kind];
    throw new CidcastError(
      "BUSY",
      `This node transcodes ${limit} ${kind} ${limit === 1 ? "track" : "tracks"} at a time, and viewers elsewhere use all of that`,
      { details: { kind, limit }, retryAfterSeconds: BUSY_RETRY_SECONDS },
    );
  }

  started(job: TranscodeJob, track: TranscodeTrack): void {
    const { clock, events, log, metrics } = this.#components;
    this.#jobs.set(job, { track, orphanSinceMs: undefined });
    metrics.transcodeStarts.add(1, { kind: job.kind });
    this.#report();
    const profile = track.profile.info.id;
    log.info({ cid: track.cid, track: track.trackId, profile }, "transcode started");
    events.publish("transcode_started", { cid: track.cid, trackId: track.trackId, profile });
    this.#sweep ??= clock.every(SWEEP_MS, () => this.#lookOver());
  }

  paced(level: number): void {
    this.#components.metrics.transcodePaced.add(1, { level: String(level) });
  }

  over(job: TranscodeJob, track: TranscodeTrack, reason: string, error: CidcastError | undefined): void {
    const { events, log } = this.#components;
    if (!this.#jobs.delete(job)) return;
    this.#report();
    const profile = track.profile.info.id;
    const fields = { cid: track.cid, track: track.trackId, profile, reason };
    if (error === undefined) {
      log.info(fields, "transcode stopped");
    } else {
      log.error({ ...fields, err: error }, "transcode failed");
      events.publish("transcode_failed", { cid: track.cid, trackId: track.trackId, message: error.message });
    }
    events.publish("transcode_stopped", { cid: track.cid, trackId: track.trackId, profile, reason });
    if (this.#jobs.size > 0) return;
    this.#sweep?.();
    this.#sweep = undefined;
  }

  #count(kind: "video" | "audio", accept: (job: TranscodeJob) => boolean = () => true): number {
    let count = 0;
    for (const job of this.#jobs.keys()) if (job.kind === kind && accept(job)) count += 1;
    return count;
  }

  #report(): void {
    const gauge = this.#components.metrics.transcodeJobs;
    for (const kind of ["video", "audio"] as const) gauge.set(this.#count(kind), { kind });
  }

  /** Stops what nobody reads, and slows down what does not keep up. */
  #lookOver(): void {
    const now = this.#components.clock.monotonicMs();
    for (const [job, entry] of this.#jobs) {
      job.keepPace();
      entry.orphanSinceMs = job.readers.size > 0 ? undefined : (entry.orphanSinceMs ?? now);
      const orphanMs = entry.orphanSinceMs === undefined ? 0 : now - entry.orphanSinceMs;
      if (orphanMs >= TRANSCODE_ORPHAN_MS) job.stop("nobody reads it");
      // Who waits asks once: a job that is still to deliver is not idle, and one that hangs is found by its stall timer.
      else if (job.idleMs >= TRANSCODE_IDLE_MS && !job.owing) job.stop("nothing was asked of it for a while");
    }
  }
}
