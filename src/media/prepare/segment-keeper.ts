import { CID } from "multiformats/cid";
import { raceSignal } from "../../core/index.ts";
import { linksOf } from "../../content/index.ts";
import { PREPARE_MAX_UNWRITTEN_BYTES } from "../limits.ts";
import { Progress } from "../transcode/jobs/progress.ts";
import type { JobStore, MadeSegment } from "./job-store.ts";
import type { SegmentFile } from "./segment-writer.ts";
import type { PrepareContent } from "./types.ts";

/** Writes a job's segments: first the blocks, then the row that says they are there. */
export class SegmentKeeper {
  readonly #init: {
    readonly jobId: string;
    readonly store: JobStore;
    readonly content: Pick<PrepareContent, "write" | "blocks">;
    readonly signal: AbortSignal;
  };
  readonly #moved = new Progress();
  #bytes = 0;

  constructor(init: {
    readonly jobId: string;
    readonly store: JobStore;
    readonly content: Pick<PrepareContent, "write" | "blocks">;
    readonly signal: AbortSignal;
  }) {
    this.#init = init;
  }

  /** Waits until there is room for more. */
  async room(): Promise<void> {
    while (this.#bytes > PREPARE_MAX_UNWRITTEN_BYTES) await this.#moved.next();
  }

  /** Writes the blocks of a segment. */
  async write(
    place: Pick<MadeSegment, "track" | "rendition" | "number">,
    made: WrittenSegment,
  ): Promise<MadeSegment> {
    const { bytes, gops } = made.file;
    this.#bytes += bytes.length;
    try {
      const { content, signal } = this.#init;
      const cid = await raceSignal(content.write(bytes, { signal }), signal);
      const startUs = gops[0]?.[0] ?? 0;
      const durationUs = Math.max(1, made.endUs - startUs);
      return { ...place, cid, startUs, durationUs, bytes: bytes.length, gops };
    } finally {
      this.#bytes -= bytes.length;
      this.#moved.made();
    }
  }

  async keep(segments: readonly MadeSegment[]): Promise<void> {
    this.#init.signal.throwIfAborted();
    await this.#init.store.keep(this.#init.jobId, segments);
  }

  /** True when a segment's blocks are still here; a guard that is open now keeps them. */
  async isHere(segment: MadeSegment): Promise<boolean> {
    if (segment.cid === "") return true;
    const { blocks } = this.#init.content;
    const root = CID.parse(segment.cid);
    if (!(await blocks.touch(root))) return false;
    const bytes = root.code === RAW ? undefined : await blocks.get(root);
    if (bytes === undefined) return root.code === RAW;
    // A segment has a few leaves at most: its tree is one level deep.
    for (const leaf of linksOf(root, bytes)) if (!(await blocks.touch(leaf))) return false;
    return true;
  }
}

/** A segment with the time at which it ends. */
export interface WrittenSegment {
  readonly file: SegmentFile;
  readonly endUs: number;
}

/** Codec of a leaf that is bytes and nothing else. */
const RAW = 0x55;
