import { stallReport as schema } from "@cidcast/protocols/node-api/stalls";
import { describe, expect, it } from "vitest";
import { DecisionLog, MAX_DECISIONS } from "./decision-log.ts";
import { type StallCause, type StallFacts, stallReport } from "./stall-report.ts";
import type { QualityDecision } from "./types.ts";

const NOW_MS = 1_700_000_000_000;
const FACTS: StallFacts = {
  id: "pc_1",
  cid: "bafy",
  connected: true,
  connectionState: "connected",
  playbackState: "playing",
  rung: "high",
  picturesPaused: false,
  estimateBps: 5_000_000,
  limitBps: undefined,
  neededBps: 2_564_000,
  lossShare: 0,
  roundTripMs: 20,
  queueMs: 3,
  bufferedSeconds: 2,
  supplyFactor: undefined,
  stalledSeconds: 0,
  playedSeconds: 60,
  transcoded: false,
  nowMs: NOW_MS,
};

function entry(init: Partial<QualityDecision>): QualityDecision {
  return {
    atMs: NOW_MS - 1000,
    kind: "down",
    from: "high",
    to: "low",
    reason: "delay",
    estimateBps: 765_000,
    lossShare: 0.02,
    roundTripMs: 40,
    jitterMs: 3,
    queueMs: 210,
    bufferedSeconds: 1.8,
    supplyFactor: undefined,
    lagMs: 0,
    ...init,
  };
}

describe("why a session stalls", () => {
  const cases: [string, Partial<StallFacts>, readonly QualityDecision[], StallCause, RegExp][] = [
    ["nothing", {}, [], "none", /nothing holds it up/],
    [
      "no connection",
      { connected: false, connectionState: "connecting" },
      [],
      "network",
      /no media connection/,
    ],
    [
      "a narrow path",
      { limitBps: 700_000, estimateBps: 765_000 },
      [entry({})],
      "network",
      /0\.77 Mbit\/s where 2\.56 Mbit\/s are needed/,
    ],
    ["a rung lost to it a moment ago", {}, [entry({})], "network", /network/],
    ["a rung lost to it long ago", {}, [entry({ atMs: NOW_MS - 60_000 })], "none", /none/],
    [
      "no room for pictures",
      { picturesPaused: true, estimateBps: 170_000 },
      [],
      "network",
      /too little for pictures; sound goes on/,
    ],
    ["loss", { lossShare: 0.2 }, [], "network", /20 % of packets are lost/],
    [
      "slow blocks",
      { playbackState: "buffering", supplyFactor: 0.4 },
      [],
      "supply",
      /verified blocks come too slowly: 0\.4 s/,
    ],
    [
      "a slow encoder",
      { playbackState: "buffering", transcoded: true, supplyFactor: 0.7 },
      [],
      "transcode",
      /encoder does not keep up/,
    ],
    ["a rung nobody supplies", {}, [entry({ kind: "refused", reason: "supply" })], "supply", /supply/],
    ["a busy node", {}, [entry({ kind: "late", reason: "cpu", lagMs: 900 })], "cpu", /900 ms late/],
    ["its viewer", { playbackState: "paused" }, [], "viewer", /paused/],
  ];
  it.each(cases)("is %s", (_what, facts, log, cause, summary) => {
    const report = stallReport({ ...FACTS, ...facts }, log);
    expect(report.cause).toBe(cause);
    expect(report.summary).toMatch(summary);
    expect(report.summary.startsWith(`${cause}: `)).toBe(true);
    expect(report.summary).not.toContain("\n");
    expect(schema.parse(report)).toEqual(report);
  });

  it("has what was decided below, oldest first", () => {
    const log = [entry({ atMs: NOW_MS - 9000, kind: "start", from: undefined, to: "high" }), entry({})];
    const { timeline } = stallReport(FACTS, log);
    expect(timeline.map(({ event }) => event)).toEqual(["start", "down"]);
    expect(timeline[1]).toMatchObject({
      time: (NOW_MS - 1000) / 1000,
      from: "high",
      to: "low",
      packet_loss: 2,
    });
  });
});

describe("the log of decisions", () => {
  it("keeps the last ones", () => {
    const log = new DecisionLog();
    for (let i = 0; i < MAX_DECISIONS + 10; i++) log.add(entry({ atMs: i }));
    expect(log.list()).toHaveLength(MAX_DECISIONS);
    expect(log.list()[0]?.atMs).toBe(10);
    expect(log.total).toBe(MAX_DECISIONS + 10);
  });
});
