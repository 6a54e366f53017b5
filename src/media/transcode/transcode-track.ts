import { type AbortOptions, CidcastError, type Clock, type Logger, raceSignal } from "../../core/index.ts";
import type { PacketReader } from "../demux/track.ts";
import { TRANSCODE_RUN_AHEAD_SECONDS } from "../limits.ts";
import type { GopStore, Stored } from "../store/gop-store.ts";
import type { RenditionSource, Segment } from "../types.ts";
import type { EncoderPool } from "./jobs/encoder-pool.ts";
import { GOP_SECONDS, Gop } from "./jobs/gop.ts";
import { TranscodeJob } from "./jobs/job.ts";
import type { TranscodeProfile } from "./profile.ts";

/** A running job this near is waited for, seconds of media; for a place further on a new one is quicker. */
const NEAR_SECONDS = 2;

/** What starts, counts and ends jobs. */
export interface JobOffice {
  /** Makes room for one more job; throws `BUSY` when there is none. */
  admit(kind: "video" | "audio"): void;
  /** Jobs of that kind have no room now. */
  full(kind: "video" | "audio"): boolean;
  started(job: TranscodeJob, track: TranscodeTrack): void;
  /** A job leaves out more pictures than before, or fewer. */
  paced(level: number): void;
  over(job: TranscodeJob, track: TranscodeTrack, reason: string, error: CidcastError | undefined): void;
  readonly pool: EncoderPool;
}

export interface TranscodeTrackInit {
  readonly cid: string;
  readonly trackId: string;
  readonly durationSeconds: number;
  readonly profile: TranscodeProfile;
  readonly packets: PacketReader;
  readonly store: GopStore<Stored>;
  readonly office: JobOffice;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told how long the first segment of a place took, seconds. */
  readonly onFirstSegment: (seconds: number) => void;
}

/** A track as it is transcoded, for all who watch it: whoever asks for a place that is stored or near a running job shares it. */
export class TranscodeTrack {
  readonly cid: string;
  readonly trackId: string;
  readonly profile: TranscodeProfile;
  readonly #init: TranscodeTrackInit;
  readonly #name: string;
  readonly #jobs = new Set<TranscodeJob>();
  readonly #places = new WeakMap<Segment, Gop>();

  constructor(init: TranscodeTrackInit) {
    this.cid = init.cid;
    this.trackId = init.trackId;
    this.profile = init.profile;
    this.#init = init;
    this.#name = `${init.cid}/${init.trackId}/${init.profile.info.id}`;
  }

  /** A reader of its own for one viewer's handle. */
  reader(): TranscodeReader {
    return new TranscodeReader(this);
  }

  /** Ends all its jobs. */
  stop(reason: string): void {
    for (const job of this.#jobs) job.stop(reason);
  }

  /** The first segment at or after a second; undefined when the media has ended there. */
  async at(reader: TranscodeReader, second: number, options: AbortOptions): Promise<Segment | undefined> {
    for (;;) {
      const gop = await this.#gop(reader, second, options);
      if (gop === undefined) return undefined;
      const segment = await this.#segment(reader, gop, 0, options);
      // One that was cut off before there was anything of it is not the end: it is made anew, or its failure is told.
      if (segment !== undefined || !gop.cutOff) return segment;
    }
  }

  async after(
    reader: TranscodeReader,
    segment: Segment,
    options: AbortOptions,
  ): Promise<Segment | undefined> {
    const gop = this.#places.get(segment);
    const at = gop?.segments.indexOf(segment) ?? -1;
    if (gop !== undefined && at >= 0) {
      const next = await this.#segment(reader, gop, at + 1, options);
      if (next !== undefined) return next;
    }
    const own = Math.floor(segment.startSeconds / GOP_SECONDS) * GOP_SECONDS;
    const following = Math.floor(segment.endSeconds / GOP_SECONDS) * GOP_SECONDS;
    return this.at(reader, Math.max(own + GOP_SECONDS, following), options);
  }

  /** Segment number `at` of a GOP, waited for while the GOP fills; undefined when it has fewer. */
  async #segment(
    reader: TranscodeReader,
    gop: Gop,
    at: number,
    options: AbortOptions,
  ): Promise<Segment | undefined> {
    this.#runAhead(reader, gop.second);
    while (gop.segments[at] === undefined && gop.filling) {
      await raceSignal(gop.progress.next(), options.signal);
    }
    const segment = gop.segments[at];
    if (segment !== undefined) this.#places.set(segment, gop);
    return segment;
  }

  async #gop(reader: TranscodeReader, second: number, options: AbortOptions): Promise<Gop | undefined> {
    let waited: TranscodeJob | undefined;
    for (;;) {
      options.signal?.throwIfAborted();
      const stored = this.#stored(second) ?? waited?.firstFrom(second);
      if (stored !== undefined) return stored;
      if (waited?.outcome === "failed") throw waited.error;
      if (waited?.outcome === "ended") return undefined;
      const failure = reader.takeFailure();
      if (failure !== undefined) throw failure;
      if (reader.closed) throw new CidcastError("ABORTED", `The handle on ${this.cid} was closed`);
      const job = waited?.running === true ? waited : this.#jobFor(reader, second);
      job.want(second);
      waited = job;
      await raceSignal(job.progress.next(), options.signal);
    }
  }

  #stored(second: number): Gop | undefined {
    const stored = this.#init.store.get(`${this.#name}/${second}`);
    if (!(stored instanceof Gop)) return undefined;
    // One with pictures left out is for those whom the job that made it serves.
    const current = !stored.paced || [...this.#jobs].some(job => job.firstFrom(second) === stored);
    if (!stored.cutOff && current) return stored;
    this.#init.store.delete(stored.key);
    return undefined;
  }

  /** The running job that reaches that second soonest, or a new one. */
  #jobFor(reader: TranscodeReader, second: number): TranscodeJob {
    const { office, profile } = this.#init;
    const { kind } = profile.info;
    const own = reader.job;
    let best: TranscodeJob | undefined;
    for (const job of this.#jobs) {
      const wait = job.secondsUntil(second);
      if (wait !== undefined && wait < (best?.secondsUntil(second) ?? Number.POSITIVE_INFINITY)) best = job;
    }
    const wait = best?.secondsUntil(second) ?? Number.POSITIVE_INFINITY;
    if (best !== undefined && wait <= NEAR_SECONDS) return reader.join(best);
    reader.leave();
    // A seek takes its process along: starting one costs more than anything that is still to be made there.
    if (own?.readers.size === 0) own.stop("its reader went elsewhere");
    if (best !== undefined && wait <= TRANSCODE_RUN_AHEAD_SECONDS && office.full(kind))
      return reader.join(best);
    office.admit(kind);
    return reader.join(this.#start(second));
  }

  #start(second: number): TranscodeJob {
    const { clock, durationSeconds, log, office, onFirstSegment, packets, profile, store } = this.#init;
    const startedMs = clock.monotonicMs();
    let first = true;
    const job: TranscodeJob = new TranscodeJob({
      name: this.#name,
      startSecond: second,
      durationSeconds,
      packets,
      spec: profile.spec,
      pool: office.pool,
      clock,
      log,
      onGop: gop => store.put(gop.key, gop),
      onSegment: gop => {
        store.resize(gop.key);
        if (first) onFirstSegment((clock.monotonicMs() - startedMs) / 1000);
        first = false;
      },
      onPace: level => office.paced(level),
      onOver: (reason, error) => {
        this.#jobs.delete(job);
        office.over(job, this, reason, error);
      },
    });
    this.#jobs.add(job);
    office.started(job, this);
    return job;
  }

  /** Keeps the job going, and starts one where what is stored ends soon, so that the reader does not have to wait there. */
  #runAhead(reader: TranscodeReader, second: number): void {
    reader.job?.want(second);
    const next = second + GOP_SECONDS;
    if (next >= this.#init.durationSeconds || this.#stored(next) !== undefined) return;
    if ([...this.#jobs].some(job => (job.secondsUntil(next) ?? Number.POSITIVE_INFINITY) <= NEAR_SECONDS))
      return;
    const { office, profile } = this.#init;
    if (reader.job?.running !== true && !office.full(profile.info.kind))
      this.#jobFor(reader, next).want(next);
  }
}

/** One viewer's way through a transcoded track. */
export class TranscodeReader implements RenditionSource {
  readonly #track: TranscodeTrack;
  #job: TranscodeJob | undefined;
  #closed = false;

  constructor(track: TranscodeTrack) {
    this.#track = track;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get info() {
    return this.#track.profile.info;
  }

  /** The job it reads from. */
  get job(): TranscodeJob | undefined {
    return this.#job?.running === true ? this.#job : undefined;
  }

  get paceLevel(): number {
    return this.job?.paceLevel ?? 0;
  }

  async segmentAt(timeSeconds: number, options: AbortOptions = {}): Promise<Segment | undefined> {
    return this.#track.at(this, Math.floor(Math.max(0, timeSeconds) / GOP_SECONDS) * GOP_SECONDS, options);
  }

  async segmentAfter(segment: Segment, options: AbortOptions = {}): Promise<Segment | undefined> {
    return segment.last ? undefined : this.#track.after(this, segment, options);
  }

  /** Why the job it read from failed, once: who asks again after that tries again. */
  takeFailure(): CidcastError | undefined {
    const error = this.#job?.error;
    if (error !== undefined) this.leave();
    return error;
  }

  join(job: TranscodeJob): TranscodeJob {
    if (this.#job !== job) this.leave();
    this.#job = job;
    if (!this.#closed) job.readers.add(this);
    return job;
  }

  /** Nothing is asked of it for now: its job stops unless others read it. */
  leave(): void {
    this.#job?.readers.delete(this);
    this.#job = undefined;
  }

  close(): void {
    this.#closed = true;
    this.leave();
  }
}
