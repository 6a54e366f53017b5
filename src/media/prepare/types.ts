import type { BlockGuard, Blocks, Content } from "../../content/index.ts";
import type { AbortOptions } from "../../core/index.ts";
import type { LadderCodec, LadderOptions, PresetName } from "./ladder.ts";

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

/** How far a job is. */
export interface JobProgress {
  /** 0 to 100. */
  readonly percent: number;
  /** Pictures of the source worked off per second; 0 while nothing is encoded. */
  readonly fps: number;
  /** Seconds until the end, as far as the pace so far tells; undefined before it does. */
  readonly etaSeconds?: number | undefined;
}

/** A job that makes a prepared ladder. */
export interface PrepareJob {
  readonly id: string;
  readonly cid: string;
  /** Presets asked for; undefined: all that fit. */
  readonly presets: readonly PresetName[] | undefined;
  /** Codec of its pictures. */
  readonly codec: LadderCodec;
  /** Whose job it is; undefined: the node's own. */
  readonly owner: string | undefined;
  readonly state: JobState;
  readonly progress: JobProgress;
  /** Once it is done: the manifest's root, and the block that holds this node's signature of it. */
  readonly result:
    | {
        readonly root: string;
        readonly signature?: string | undefined;
        /** Bytes of all segments. */
        readonly bytes?: number | undefined;
      }
    | undefined;
  /** Why it failed. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly createdAtMs: number;
  readonly endedAtMs: number | undefined;
}

export interface PrepareOptions extends LadderOptions, AbortOptions {
  /** Whose job it is; undefined: the node's own. */
  readonly owner?: string | undefined;
  /** Asked before the job waits, with the bytes that it will take about; what it throws refuses the job. */
  readonly admit?: ((bytes: number) => Promise<void>) | undefined;
}

/** Whose jobs are looked at; undefined: everybody's. */
export interface JobOwner {
  readonly owner?: string | undefined;
}

/** A prepared ladder that is to be kept. */
export interface PreparedLadder {
  readonly root: string;
  readonly name: string;
  readonly bytes: number;
  readonly owner: string | undefined;
}

/** Makes prepared ladders: jobs in a queue that outlives the process. */
export interface Prepare {
  /**
   * Puts a job into the queue, or gives the unfinished one that is for the same. `UNSUPPORTED_MEDIA` when the content is
   * no media, `ENCODER_MISSING`, `STORAGE_FULL` when the disk has no room for it, `LIMIT_REACHED` when the queue is full.
   */
  submit(ref: string, options?: PrepareOptions): Promise<PrepareJob>;
  /** `JOB_NOT_FOUND` when there is none of that id, or it is somebody else's. */
  job(id: string, whose?: JobOwner): Promise<PrepareJob>;
  /** Newest first. */
  jobs(whose?: JobOwner): Promise<readonly PrepareJob[]>;
  /** Ends an unfinished job; what it has made is dropped. `CONFLICT` when it is over already. */
  cancel(id: string, whose?: JobOwner): Promise<PrepareJob>;
  /** Waits until a job is over, however it ends. */
  ended(id: string, options?: AbortOptions): Promise<PrepareJob>;
  /** The root of the newest manifest made here of a source; undefined when there is none. */
  rootOf(source: string): Promise<string | undefined>;
}

/** Events of jobs. */
export interface PrepareEvents {
  job_queued: { readonly jobId: string; readonly cid: string };
  job_started: { readonly jobId: string; readonly cid: string };
  job_progress: { readonly jobId: string; readonly cid: string } & JobProgress;
  job_done: { readonly jobId: string; readonly cid: string; readonly root: string };
  job_failed: {
    readonly jobId: string;
    readonly cid: string;
    readonly code: string;
    readonly message: string;
  };
  job_cancelled: { readonly jobId: string; readonly cid: string };
}

/** Signs in the node's name. Joined to the peer's identity in node.ts. */
export interface Signer {
  sign(bytes: Uint8Array): Promise<{ readonly publicKey: Uint8Array; readonly signature: Uint8Array }>;
}

/** What of the content domain is needed here. */
export interface PrepareContent extends Pick<Content, "resolve" | "open" | "hold" | "pin" | "record"> {
  readonly blocks: Blocks;
  /** Writes a file's blocks: no record, no pin. */
  write(bytes: Uint8Array, options?: AbortOptions): Promise<string>;
  guard(): BlockGuard;
}
