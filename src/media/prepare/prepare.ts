import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import {
  type AbortOptions,
  type Cancel,
  CidcastError,
  type Clock,
  type EventPublisher,
  type Logger,
  isCidcastError,
  raceSignal,
  type Service,
  toCidcastError,
} from "../../core/index.ts";
import type { Database } from "../../store/index.ts";
import {
  PREPARE_JOBS_KEPT,
  PREPARE_LEASE_MS,
  PREPARE_MAX_LISTED,
  PREPARE_MAX_QUEUED,
  PREPARE_MAX_WORKERS,
  PREPARE_MIN_FREE_BYTES,
  PREPARE_PING_MS,
  PREPARE_STALL_MS,
} from "../limits.ts";
import { createLibraryDemuxer } from "../demux/library/library-demuxer.ts";
import { OpenFiles } from "../source/open-files.ts";
import { EncoderPool } from "../transcode/jobs/encoder-pool.ts";
import { JobStore } from "./job-store.ts";
import { ladderBytes, type LadderCodec, type LadderOptions, ladderOf, type PresetName } from "./ladder.ts";
import { makeLadder } from "./make-ladder.ts";
import { signManifest } from "./manifest-writer.ts";
import { Meter } from "./meter.ts";
import { SegmentKeeper } from "./segment-keeper.ts";
import type {
  JobOwner,
  JobProgress,
  Prepare,
  PrepareContent,
  PreparedLadder,
  PrepareEvents,
  PrepareJob,
  PrepareOptions,
  Signer,
} from "./types.ts";

export interface PrepareInit {
  /** Presets of jobs that name none; undefined or none: all that fit. */
  readonly presets?: readonly PresetName[] | undefined;
  /** Codec of jobs that name none; default H.264. */
  readonly codec?: LadderCodec | undefined;
  /** Encoders at a time; default as many as the machine has cores. */
  readonly workers?: number | undefined;
  /** Jobs that may wait at a time. */
  readonly maxQueued?: number | undefined;
  /** Folder of the node's own for compiled code of its encoders. */
  readonly codeCacheDir?: string | undefined;
  /** Why nothing can be encoded here; undefined when it can. */
  readonly encoderMissing?: string | undefined;
  /** Name of this node among those that share the database; the same after a restart. */
  readonly node?: string;
  /** False: jobs of earlier runs wait, until a new one is put into the queue. */
  readonly resume?: boolean;
  /** False: those of tenants wait in any case: there is nobody to keep what they make. */
  readonly tenants?: boolean;
}

export interface PrepareComponents {
  readonly content: PrepareContent;
  readonly database: Pick<Database, "tables">;
  readonly events: EventPublisher<PrepareEvents>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Keeps what a job has made, before anything else can take it away; default: pins it by its name. */
  readonly keep?: ((made: PreparedLadder, options: AbortOptions) => Promise<void>) | undefined;
  /** Undefined: manifests are not signed. */
  readonly signer?: Signer | undefined;
  /** Free room of the disk, bytes; undefined where it cannot be told. */
  readonly freeBytes?: (() => Promise<number | undefined>) | undefined;
}

/** Below everything else that encodes: viewers are served first. */
const NICENESS = 15;
/** Rate of the sound of a ladder, bits per second: for the check of the disk. */
const AUDIO_BITRATE_BPS = 96_000;

/** Opens the queue; unfinished jobs of earlier runs go on once it is started. */
export function createPrepare(init: PrepareInit): (components: PrepareComponents) => Prepare & Service {
  return components => new PrepareService(init, components);
}

class PrepareService implements Prepare, Service {
  readonly name = "prepare";
  readonly #init: PrepareInit;
  readonly #components: PrepareComponents;
  readonly #log: Logger;
  readonly #store: JobStore;
  readonly #files: OpenFiles;
  readonly #pool: EncoderPool;
  readonly #stopping = new AbortController();
  readonly #queue: PrepareJob[] = [];
  readonly #waiting = new Map<string, PromiseWithResolvers<PrepareJob>>();
  #current: { readonly abort: AbortController; job: PrepareJob } | undefined;
  #working: Promise<void> | undefined;
  #cancelLook: Cancel = () => undefined;

  constructor(init: PrepareInit, components: PrepareComponents) {
    this.#init = init;
    this.#components = components;
    this.#log = components.log.child({ part: "prepare" });
    this.#store = new JobStore(components.database);
    const { content, clock } = components;
    const child = {
      ffmpegPath: undefined,
      niceness: NICENESS,
      startMs: PREPARE_STALL_MS,
      pingMs: PREPARE_PING_MS,
      codeCacheDir: init.codeCacheDir,
      log: this.#log,
      clock,
    };
    this.#pool = new EncoderPool({ ...child, warm: 0 });
    const { encoderMissing } = init;
    this.#files = new OpenFiles({
      content,
      log: this.#log,
      encoderMissing: () => encoderMissing,
      library:
        encoderMissing === undefined
          ? createLibraryDemuxer({ pool: this.#pool, clock, log: this.#log })
          : undefined,
    });
  }

  async start(): Promise<void> {
    await this.#look();
    if (this.#init.resume === false) return;
    this.#cancelLook = this.#components.clock.every(PREPARE_LEASE_MS, () => {
      this.#look().catch((error: unknown) => this.#log.warn({ err: error }, "jobs could not be looked for"));
    });
    this.#go();
  }

  /** Stops at once: what is unfinished goes on at the next start. */
  async stop(): Promise<void> {
    this.#cancelLook();
    this.#stopping.abort(new CidcastError("SHUTTING_DOWN", "The node is stopping"));
    await this.#working;
    await this.#pool.stop();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#stopping.signal.reason);
  }

  async submit(ref: string, options: PrepareOptions = {}): Promise<PrepareJob> {
    const { content, clock, events } = this.#components;
    const { encoderMissing } = this.#init;
    if (encoderMissing !== undefined) throw new CidcastError("ENCODER_MISSING", encoderMissing);
    const { cid } = await content.resolve(ref, options);
    const chosen = options.presets ?? this.#init.presets;
    const presets = chosen === undefined || chosen.length === 0 ? undefined : [...new Set(chosen)].sort();
    const { owner, codec = this.#init.codec ?? "h264" } = options;
    const same = this.#unfinished().find(
      job =>
        job.cid === cid &&
        job.owner === owner &&
        job.codec === codec &&
        JSON.stringify(job.presets) === JSON.stringify(presets),
    );
    if (same !== undefined) return same;
    const { maxQueued = PREPARE_MAX_QUEUED } = this.#init;
    if (this.#queue.length >= maxQueued) {
      throw new CidcastError("LIMIT_REACHED", `${maxQueued} jobs are waiting already`);
    }
    // Encoders start while the file is looked at.
    if (this.#current === undefined) this.#pool.warmUp(this.#workers);
    await this.#check(cid, { ...options, presets, codec });
    const job: PrepareJob = {
      id: randomUUID(),
      cid,
      presets,
      codec,
      owner,
      state: "queued",
      progress: { percent: 0, fps: 0 },
      result: undefined,
      error: undefined,
      createdAtMs: clock.now(),
      endedAtMs: undefined,
    };
    await this.#store.insert(job);
    this.#queue.push(job);
    events.publish("job_queued", { jobId: job.id, cid }, told(job));
    this.#go();
    return job;
  }

  async job(id: string, { owner }: JobOwner = {}): Promise<PrepareJob> {
    const job = this.#current?.job.id === id ? this.#current.job : await this.#store.job(id);
    if (job === undefined || (owner !== undefined && job.owner !== owner))
      throw new CidcastError("JOB_NOT_FOUND", `There is no job ${id}`);
    return job;
  }

  async jobs({ owner }: JobOwner = {}): Promise<readonly PrepareJob[]> {
    const current = this.#current?.job;
    const jobs = await this.#store.list(PREPARE_MAX_LISTED, owner);
    return jobs.map(job => (job.id === current?.id ? current : job));
  }

  async cancel(id: string, whose: JobOwner = {}): Promise<PrepareJob> {
    if (whose.owner !== undefined) await this.job(id, whose);
    const running = this.#current;
    if (running?.job.id === id) {
      const over = this.ended(id);
      running.abort.abort(new CidcastError("ABORTED", "The job was cancelled"));
      return over;
    }
    const at = this.#queue.findIndex(job => job.id === id);
    const waiting = this.#queue[at];
    if (waiting === undefined) {
      const { state } = await this.job(id);
      throw new CidcastError("CONFLICT", `The job ${id} is over: ${state}`);
    }
    this.#queue.splice(at, 1);
    return this.#end({ ...waiting, state: "cancelled" });
  }

  async ended(id: string, options: AbortOptions = {}): Promise<PrepareJob> {
    let waiting = this.#waiting.get(id);
    if (waiting === undefined && this.#unfinished().some(job => job.id === id)) {
      waiting = Promise.withResolvers<PrepareJob>();
      waiting.promise.catch(() => undefined);
      this.#waiting.set(id, waiting);
    }
    return waiting === undefined ? this.job(id) : raceSignal(waiting.promise, options.signal);
  }

  rootOf(source: string): Promise<string | undefined> {
    return this.#store.prepared(source);
  }

  /** Puts unfinished jobs into the queue: of an earlier run, or of another node of this database that may be gone. */
  async #look(): Promise<void> {
    const known = new Set(this.#unfinished().map(job => job.id));
    const takes = (job: PrepareJob): boolean => this.#init.tenants !== false || job.owner === undefined;
    const found = (await this.#store.unfinished()).filter(job => !known.has(job.id) && takes(job));
    this.#queue.push(...found);
    if (this.#init.resume !== false) this.#go();
  }

  /** Takes a job for this node for a while. False when it is over or another node has it. */
  #claim(id: string): Promise<boolean> {
    const nowMs = this.#components.clock.now();
    const { node = "node" } = this.#init;
    return this.#store.claim(id, { node, nowMs, untilMs: nowMs + PREPARE_LEASE_MS });
  }

  #unfinished(): PrepareJob[] {
    return this.#current === undefined ? this.#queue : [this.#current.job, ...this.#queue];
  }

  /** Refuses what cannot be prepared, before it waits in the queue. */
  async #check(
    cid: string,
    { admit, ...options }: LadderOptions & Pick<PrepareOptions, "admit" | "signal">,
  ): Promise<void> {
    const reference = await this.#files.acquire(cid, options);
    try {
      const { info } = reference.file;
      if (!info.playable) {
        throw new CidcastError("UNSUPPORTED_MEDIA", info.notes[0] ?? `${cid} holds nothing that plays`);
      }
      const video = info.tracks.find(track => track.kind === "video");
      const rungs = video?.kind === "video" ? ladderOf(video, options) : [];
      const bytes = ladderBytes(info.tracks, rungs, AUDIO_BITRATE_BPS);
      await admit?.(bytes);
      const neededBytes = bytes + PREPARE_MIN_FREE_BYTES;
      const freeBytes = await this.#components.freeBytes?.();
      if (freeBytes !== undefined && freeBytes < neededBytes) {
        throw new CidcastError(
          "STORAGE_FULL",
          `The disk has ${freeBytes} bytes left, too few for a ladder of ${cid}`,
          { details: { freeBytes, neededBytes } },
        );
      }
    } finally {
      await reference.release();
    }
  }

  #go(): void {
    if (this.#working !== undefined || this.#queue.length === 0) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      try {
        await this.#run(job);
      } catch (error) {
        // The database is gone, or the node stops: the job is still in the table, and goes on at the next start.
        if (!this.#stopping.signal.aborted) this.#log.error({ job: job.id, err: error }, "a job was put off");
        return;
      } finally {
        this.#current = undefined;
      }
    }
  }

  /** Tells who waits for a job that another node has ended. */
  #settle(job: PrepareJob | undefined): void {
    if (job === undefined || job.state === "queued" || job.state === "running") return;
    this.#waiting.get(job.id)?.resolve(job);
    this.#waiting.delete(job.id);
  }

  async #run(queued: PrepareJob): Promise<void> {
    const { content, clock, events } = this.#components;
    const abort = new AbortController();
    const running = { abort, job: { ...queued, state: "running" as const } as PrepareJob };
    this.#current = running;
    const { id: jobId, cid } = queued;
    const signal = AbortSignal.any([abort.signal, this.#stopping.signal]);
    const store = this.#store;
    const meter = new Meter(clock, progress => this.#report(running, progress));
    const keeper = new SegmentKeeper({ jobId, store, content, signal });
    const stay = clock.every(PREPARE_LEASE_MS / 3, () => {
      this.#claim(jobId).then(
        ours => ours || abort.abort(new CidcastError("CONFLICT", "Another node has taken the job over")),
        (error: unknown) => this.#log.warn({ job: jobId, err: error }, "the job's lease was not renewed"),
      );
    });
    // Until the manifest is pinned nothing but the guard keeps its blocks from a collection.
    using _guard = content.guard();
    try {
      if (!(await this.#claim(jobId))) return this.#settle(await store.job(jobId));
      signal.throwIfAborted();
      await store.update(running.job);
      events.publish("job_started", { jobId, cid }, told(running.job));
      const root = await this.#make({ keeper, meter, signal }, running.job);
      running.job = { ...running.job, progress: { percent: 100, fps: meter.progress().fps, etaSeconds: 0 } };
      await this.#end({ ...running.job, state: "done", result: root });
    } catch (error) {
      if (this.#stopping.signal.aborted) throw error;
      // The other node writes down how it ends.
      if (isCidcastError(abort.signal.reason, "CONFLICT")) return;
      const { code, message } = toCidcastError(error);
      if (abort.signal.aborted) await this.#end({ ...running.job, state: "cancelled" });
      else await this.#end({ ...running.job, state: "failed", error: { code, message } });
    } finally {
      stay();
    }
  }

  async #make(
    tools: { readonly keeper: SegmentKeeper; readonly meter: Meter; readonly signal: AbortSignal },
    { id: jobId, cid, presets, codec, owner }: PrepareJob,
  ): Promise<NonNullable<PrepareJob["result"]>> {
    const { content, clock, signer } = this.#components;
    const store = this.#store;
    const reference = await this.#files.acquire(cid, tools);
    try {
      const shared = { ...tools, pool: this.#pool, clock, log: this.#log };
      const { file } = reference;
      const wanted = { presets, codec, workers: this.#workers };
      const { root, bytes } = await makeLadder(shared, { ...wanted, jobId, file, store, content });
      const source = (await content.record(cid))?.name ?? cid;
      const made = { root: root.toString(), name: `${source.slice(0, NAME_CHARS)} (prepared)`, bytes, owner };
      const { keep = pinned(content) } = this.#components;
      await keep(made, { signal: tools.signal });
      const signature = signer === undefined ? undefined : await signManifest(root, signer);
      const row = { source: cid, root: made.root, signature: signature ?? null };
      await store.setPrepared({ ...row, atMs: clock.now() });
      return { root: row.root, signature, bytes };
    } finally {
      await reference.release();
    }
  }

  get #workers(): number {
    const { workers = 0 } = this.#init;
    return Math.min(PREPARE_MAX_WORKERS, workers === 0 ? availableParallelism() : workers);
  }

  #report(running: { job: PrepareJob }, progress: JobProgress): void {
    running.job = { ...running.job, progress };
    const { id: jobId, cid } = running.job;
    this.#components.events.publish("job_progress", { jobId, cid, ...progress }, told(running.job));
  }

  /** Writes down and tells how a job ended. */
  async #end(job: PrepareJob): Promise<PrepareJob> {
    const { clock, events } = this.#components;
    const ended = { ...job, endedAtMs: clock.now() };
    await this.#store.update(ended);
    if (this.#current?.job.id === job.id) this.#current = undefined;
    await this.#store.drop(job.id);
    await this.#store.trim(PREPARE_JOBS_KEPT);
    const { id: jobId, cid, state, result, error } = ended;
    this.#log.info({ job: jobId, cid, state, root: result?.root, reason: error?.message }, "job ended");
    const { code = "INTERNAL", message = "" } = error ?? {};
    if (state === "done") events.publish("job_done", { jobId, cid, root: result?.root ?? "" }, told(job));
    else if (state === "cancelled") events.publish("job_cancelled", { jobId, cid }, told(job));
    else events.publish("job_failed", { jobId, cid, code, message }, told(job));
    this.#waiting.get(jobId)?.resolve(ended);
    this.#waiting.delete(jobId);
    return ended;
  }
}

/** Who hears of a job. */
function told({ owner }: PrepareJob): { readonly tenantId?: string } {
  return owner === undefined ? {} : { tenantId: owner };
}

/** Keeps ladders by pins. */
function pinned(content: Pick<PrepareContent, "pin">): NonNullable<PrepareComponents["keep"]> {
  return async ({ root, name }, options) => {
    await content.pin(root, { ...options, name });
  };
}

/** Characters of a source's name that its manifest is named with. */
const NAME_CHARS = 200;
