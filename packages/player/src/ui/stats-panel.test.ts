import { describe, expect, it } from "vitest";
import { summariseStats } from "../playback/stats.ts";
import { statsLines } from "./stats-panel.ts";

describe("statsLines", () => {
  it("writes a sample for people", () => {
    const reports = [
      { type: "codec", id: "c1", mimeType: "video/H264" },
      {
        type: "inbound-rtp",
        kind: "video",
        codecId: "c1",
        frameWidth: 1280,
        frameHeight: 720,
        framesPerSecond: 29.97,
      },
      { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.0123 },
    ];
    const lines = Object.fromEntries(statsLines(summariseStats(reports, 0, undefined).stats));
    expect(lines).toMatchObject({ Picture: "1280 × 720, 30 fps", "Round trip": "12 ms", "Sent as": "H.264" });
  });

  it("has a word or a dash for everything that is not there", () => {
    const lines = Object.fromEntries(statsLines(summariseStats([], 0, undefined).stats));
    expect(lines).toMatchObject({ Picture: "none", "Round trip": "–", "Jitter buffer": "–", "Sent as": "–" });
  });
});
