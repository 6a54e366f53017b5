import type { PaceLevel } from "../jobs/pace.ts";
import type { JobSpec, Packet } from "../protocol.ts";

/** One job under way in the child. */
export interface Transcoder {
  /** Takes packets in decode order; what comes out goes to `emit`. */
  push(packets: readonly Packet[]): Promise<void>;
  /** True once the job has all it needs: what comes after is passed over, and it is over. */
  readonly done?: boolean;
  /** Leaves out more pictures, or fewer, from now on. */
  pace?(pace: PaceLevel): void;
  /** Gives out what is still inside. */
  finish(): Promise<void>;
  close(): void | Promise<void>;
}

/** What encodes. */
export interface Backend {
  /** Name and version for people. */
  readonly name: string;
  open(spec: JobSpec, emit: (frames: readonly Packet[]) => void): Promise<Transcoder>;
}
