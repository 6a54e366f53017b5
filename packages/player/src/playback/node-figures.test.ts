import { describe, expect, it } from "vitest";
import { readNodeFigures } from "./node-figures.ts";

describe("readNodeFigures", () => {
  it("reads the estimate and the last decisions", () => {
    const decisions = Array.from({ length: 8 }, (_, time) => ({
      time,
      event: "down",
      from: "high",
      to: "low",
      reason: "loss",
    }));
    const figures = readNodeFigures({ bandwidth_estimate: 2e6, decisions, encoder_pace_level: 2 });
    expect(figures.paceLevel).toBe(2);
    expect(figures.estimateBps).toBe(2e6);
    expect(figures.decisions.map(({ time }) => time)).toEqual([3, 4, 5, 6, 7]);
    expect(figures.decisions[0]).toEqual({ time: 3, from: "high", to: "low", reason: "loss" });
  });

  it("passes over what it does not know", () => {
    expect(readNodeFigures({})).toEqual({ estimateBps: undefined, paceLevel: 0, decisions: [] });
    expect(readNodeFigures({ bandwidth_estimate: 0, decisions: "x" }).decisions).toEqual([]);
    const odd = { decisions: [null, 1, { time: "x" }, { time: 1, event: "paused", to: null }] };
    expect(readNodeFigures(odd).decisions).toEqual([{ time: 1, from: "", to: "paused", reason: "" }]);
  });
});
