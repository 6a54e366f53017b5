import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BandwidthEstimator } from "./index.ts";
import { PathRecorder, packRecording, replay, unpackRecording } from "./testing-recording.ts";

const mbps = 1_000_000;

interface Sample {
  readonly ms: number;
  readonly estimateBps: number;
  readonly limitBps: number | undefined;
}

/** A recording of test/fixtures/paths, told to a new estimator: what it says after each message, and when the path changed. */
function replayed(name: string) {
  const events = unpackRecording(
    readFileSync(new URL(`../../../test/fixtures/paths/${name}.json.gz`, import.meta.url)),
  );
  const estimator = new BandwidthEstimator();
  const samples: Sample[] = [];
  const marks = replay(events, estimator, ms => {
    samples.push({ ms, estimateBps: estimator.estimateBps, limitBps: estimator.limitBps(ms) });
  });
  const [, changedMs = Number.NaN, undoneMs = Number.NaN] = marks.values();
  return { samples, changedMs, undoneMs };
}

const between = (samples: readonly Sample[], fromMs: number, toMs: number): Sample[] =>
  samples.filter(({ ms }) => ms >= fromMs && ms < toMs);

describe("what was recorded of real paths, told again", () => {
  test.each(["clean", "jitter", "loss", "bursts"])("%s: no limit is seen, and enough for the film", name => {
    const { samples } = replayed(name);
    expect(samples.length).toBeGreaterThan(60);
    expect(samples.filter(({ limitBps }) => limitBps !== undefined)).toEqual([]);
    const low = samples.filter(({ ms, estimateBps }) => ms > 3000 && estimateBps < 2.5 * mbps);
    expect(low).toEqual([]);
  });

  test.each([
    { name: "squeezed", leftBps: 0.9 * mbps, backMs: 4000 },
    { name: "crossed", leftBps: 1 * mbps, backMs: 4000 },
  ])("$name: under what is left within a second, near it, and back", ({ name, leftBps, backMs }) => {
    const { samples, changedMs, undoneMs } = replayed(name);
    expect(between(samples, 2000, changedMs).every(({ limitBps }) => limitBps === undefined)).toBe(true);
    const soon = between(samples, changedMs, changedMs + 1000);
    expect(soon.some(({ limitBps = Number.POSITIVE_INFINITY }) => limitBps < leftBps)).toBe(true);
    const during = between(samples, changedMs + 1500, undoneMs).map(({ estimateBps }) => estimateBps);
    expect(during.length).toBeGreaterThan(20);
    expect(Math.max(...during)).toBeLessThan(1.3 * leftBps);
    expect(Math.min(...during)).toBeGreaterThan(0.7 * leftBps);
    const back = samples.filter(({ ms }) => ms > undoneMs + backMs);
    expect(back.length).toBeGreaterThan(10);
    expect(back.every(({ estimateBps }) => estimateBps > 2.5 * mbps)).toBe(true);
  });

  test("the same every time, and as it was recorded", () => {
    expect(replayed("squeezed")).toEqual(replayed("squeezed"));
    const recorder = new PathRecorder();
    recorder.sent(7, 1200, 1000.5, 0);
    recorder.clusterOpened(1001);
    recorder.sent(8, 1200, 1001, 1);
    recorder.clusterClosed(1002, 1);
    recorder.mark(1003, "narrow");
    recorder.feedbackBegin(1050);
    recorder.arrival(7, 400);
    recorder.arrival(8, undefined);
    recorder.resultAsked(1060);
    expect(unpackRecording(packRecording(recorder.events))).toEqual(recorder.events);
    const told: number[] = [];
    const marks = replay(recorder.events, new BandwidthEstimator(), ms => told.push(ms));
    expect([told, [...marks]]).toEqual([[49.5], [["narrow", 2.5]]]);
  });
});
