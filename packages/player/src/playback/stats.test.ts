import { describe, expect, it } from "vitest";
import { summariseStats } from "./stats.ts";

const reports = (bytes: number, received: number, lost: number) => [
  { type: "codec", id: "c1", mimeType: "video/H264" },
  {
    type: "inbound-rtp",
    kind: "video",
    codecId: "c1",
    frameWidth: 1280,
    frameHeight: 720,
    framesDecoded: 90,
    bytesReceived: bytes,
    packetsReceived: received,
    packetsLost: lost,
    jitterBufferDelay: 0.9,
    jitterBufferEmittedCount: 90,
  },
  { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 },
  { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.012 },
];

describe("summariseStats", () => {
  it("has no rates in the first sample", () => {
    const { stats } = summariseStats(reports(500_000, 500, 3), 1_000, undefined);
    expect(stats).toMatchObject({
      bitrateBps: 0,
      lossShare: 0,
      packetsLost: 3,
      width: 1280,
      videoCodec: "H264",
    });
    expect(stats.roundTripMs).toBe(12);
    expect(stats.jitterBufferMs).toBeCloseTo(10);
    expect(stats.audioCodec).toBeUndefined();
  });

  it("computes rates over the time since the sample before", () => {
    const first = summariseStats(reports(500_000, 500, 0), 1_000, undefined);
    const { stats } = summariseStats(reports(750_000, 590, 10), 2_000, first.baseline);
    expect(stats.bitrateBps).toBe(2_000_000);
    expect(stats.lossShare).toBeCloseTo(0.1);
  });

  it("has no negative rates when the counters start anew with a new connection", () => {
    const first = summariseStats(reports(500_000, 500, 9), 1_000, undefined);
    const { stats } = summariseStats([], 2_000, first.baseline);
    expect(stats).toMatchObject({ bitrateBps: 0, lossShare: 0, framesDecoded: 0, roundTripMs: undefined });
  });
});
