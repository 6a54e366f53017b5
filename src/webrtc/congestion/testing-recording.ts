import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import type { BandwidthEstimator } from "./estimator.ts";

/** Units of time in a recording, per ms. */
const UNITS_PER_MS = 20;

const time = z.number().int();
const recording = z.array(
  z.union([
    z.tuple([z.literal("s"), time, z.number().int(), z.number().int(), z.number().int()]),
    z.tuple([z.literal("f"), time, z.array(z.tuple([z.number().int(), z.number().int().nullable()]))]),
    z.tuple([z.literal("o"), time]),
    z.tuple([z.literal("c"), time, z.number().int()]),
    z.tuple([z.literal("t"), time]),
    z.tuple([z.literal("m"), time, z.string()]),
  ]),
);

/**
 * What an estimator was told of a real path, in order: a packet sent (time, sequence, bytes, cluster of a probe), a message of
 * feedback (time, each packet's sequence and arrival or null), a cluster opened, one closed, its result asked for, and what was
 * done to the path (time, in words). Times are in units of 50 µs since the begin.
 */
export type Recording = z.infer<typeof recording>;

/** Notes what an estimator is told. */
export class PathRecorder {
  readonly events: Recording = [];
  #startMs = Number.NaN;
  #message: [number, number | null][] | undefined;

  sent(sequence: number, bytes: number, nowMs: number, cluster = 0): void {
    this.events.push(["s", this.#units(nowMs), sequence, bytes, cluster]);
  }

  feedbackBegin(nowMs: number): void {
    this.#message = [];
    this.events.push(["f", this.#units(nowMs), this.#message]);
  }

  arrival(sequence: number, arrivedUnits: number | undefined): void {
    this.#message?.push([sequence, arrivedUnits ?? null]);
  }

  clusterOpened(nowMs: number): void {
    this.events.push(["o", this.#units(nowMs)]);
  }

  clusterClosed(nowMs: number, id: number): void {
    this.events.push(["c", this.#units(nowMs), id]);
  }

  resultAsked(nowMs: number): void {
    this.events.push(["t", this.#units(nowMs)]);
  }

  mark(nowMs: number, words: string): void {
    this.events.push(["m", this.#units(nowMs), words]);
  }

  #units(nowMs: number): number {
    if (Number.isNaN(this.#startMs)) this.#startMs = nowMs;
    return Math.round((nowMs - this.#startMs) * UNITS_PER_MS);
  }
}

export function packRecording(events: Recording): Uint8Array {
  return gzipSync(JSON.stringify(events), { level: 9 });
}

export function unpackRecording(packed: Uint8Array): Recording {
  return recording.parse(JSON.parse(gunzipSync(packed).toString()));
}

/** Tells an estimator all of a recording, in virtual time; `onFeedback` hears of each message once it is told. */
export function replay(
  events: Recording,
  estimator: BandwidthEstimator,
  onFeedback: (ms: number) => void,
): ReadonlyMap<string, number> {
  const marks = new Map<string, number>();
  for (const event of events) {
    const ms = event[1] / UNITS_PER_MS;
    switch (event[0]) {
      case "s":
        estimator.onSent(event[2], event[3], ms, event[4]);
        break;
      case "f":
        estimator.onFeedbackBegin(ms);
        for (const [sequence, arrived] of event[2]) estimator.onArrival(sequence, arrived ?? undefined);
        estimator.onFeedbackEnd();
        onFeedback(ms);
        break;
      case "o":
        estimator.probes.open(ms);
        break;
      case "c":
        estimator.probes.close(event[2]);
        break;
      case "t":
        estimator.takeProbe(ms);
        break;
      case "m":
        marks.set(event[2], ms);
        break;
    }
  }
  return marks;
}
