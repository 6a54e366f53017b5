import { Progress } from "./progress.ts";
import { h264Formatter } from "../../demux/frame-format.ts";
import { buildSegment, segmentBytes, type TimedFrame } from "../../store/segment-builder.ts";
import type { Stored } from "../../store/gop-store.ts";
import type { Segment } from "../../types.ts";
import type { Packet } from "../protocol.ts";

/** Length of a GOP of a transcode, seconds: what a seek lands on. */
export const GOP_SECONDS = 1;

/** Where a video GOP is cut into segments, seconds from its start: the first is short, so that a picture is there soon. */
const VIDEO_CUTS_SECONDS: readonly number[] = [0.09, 0.39, 0.69];

/**
 * One second of a transcode, from one run of one encoder: its segments refer to each other's pictures, so they are kept
 * and dropped together. It fills while it is read.
 */
export class Gop implements Stored {
  readonly key: string;
  readonly second: number;
  readonly segments: Segment[] = [];
  readonly progress = new Progress();
  /** Pictures were left out of it because the machine did not keep up: who comes later may get all of them. */
  paced = false;
  #state: "filling" | "complete" | "cut off" = "filling";
  #bytes = 0;

  constructor(key: string, second: number) {
    this.key = key;
    this.second = second;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  get filling(): boolean {
    return this.#state === "filling";
  }

  /** Its encoder went away in the middle: those who have begun it go on with the next. */
  get cutOff(): boolean {
    return this.#state === "cut off";
  }

  add(segment: Segment): void {
    this.segments.push(segment);
    this.#bytes += segmentBytes(segment);
    this.progress.made();
  }

  finish(state: "complete" | "cut off"): void {
    if (this.#state === "filling") this.#state = state;
    this.progress.made();
  }
}

/** What an assembler tells. */
export interface AssemblerEvents {
  /** A GOP has begun. */
  begun(gop: Gop): void;
  /** A segment was added to it. */
  grown(gop: Gop, segment: Segment): void;
}

/** Puts an encoder's frames together to GOPs and segments. */
export class Assembler {
  readonly #kind: "video" | "audio";
  readonly #name: string;
  readonly #events: AssemblerEvents;
  readonly #format = h264Formatter(undefined);
  #gop: Gop | undefined;
  #frames: TimedFrame[] = [];
  #part = 0;

  constructor(init: {
    readonly kind: "video" | "audio";
    /** Names CID, track and profile. */
    readonly name: string;
    readonly events: AssemblerEvents;
  }) {
    this.#kind = init.kind;
    this.#name = init.name;
    this.#events = init.events;
  }

  /** The GOP that is being filled. */
  get gop(): Gop | undefined {
    return this.#gop;
  }

  push(packet: Packet): void {
    const ptsSeconds = packet.ptsUs / 1e6;
    const formatted =
      this.#kind === "video"
        ? this.#format(packet.data, packet.key)
        : { pieces: [packet.data], byteLength: packet.data.length, key: true };
    if (formatted === undefined) return;
    const second = Math.floor(ptsSeconds / GOP_SECONDS) * GOP_SECONDS;
    const begins = this.#kind === "video" ? formatted.key : second !== this.#gop?.second;
    const part = VIDEO_CUTS_SECONDS.filter(cut => ptsSeconds - second >= cut).length;
    if (begins) {
      this.#close(ptsSeconds, false);
      this.#gop?.finish("complete");
      this.#gop = new Gop(`${this.#name}/${second}`, second);
      this.#events.begun(this.#gop);
    } else if (this.#kind === "video" && part !== this.#part) {
      this.#close(ptsSeconds, false);
    }
    this.#part = part;
    this.#frames.push({ ...formatted, ptsSeconds });
  }

  /** The media ends here. */
  finish(durationSeconds: number): void {
    const lastPts = this.#frames.at(-1)?.ptsSeconds ?? 0;
    this.#close(Math.max(lastPts, durationSeconds), true);
    this.#gop?.finish("complete");
    this.#gop = undefined;
  }

  /** The encoder is gone: what it has not finished does not come. */
  cutOff(): void {
    this.#frames = [];
    this.#gop?.finish("cut off");
    this.#gop = undefined;
  }

  #close(endSeconds: number, last: boolean): void {
    const gop = this.#gop;
    const start = this.#frames[0]?.ptsSeconds;
    if (gop === undefined || start === undefined) return;
    const segment = buildSegment(
      {
        key: `${gop.key}/${gop.segments.length}`,
        index: Math.round(start * 1e6),
        endSeconds,
        last,
        allKeys: this.#kind === "audio",
      },
      this.#frames,
    );
    this.#frames = [];
    gop.add(segment);
    this.#events.grown(gop, segment);
  }
}
