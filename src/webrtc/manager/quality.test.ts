import { describe, expect, it } from "vitest";
import type { Ladder } from "../../media/index.ts";
import type { QualityLevel } from "../types.ts";
import { AdaptiveBitrateController } from "./adaptive-bitrate-controller.ts";

function ladder(names: readonly string[]): Ladder & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    names: () => names,
    rungs: () =>
      names.map(name => ({ name, width: 0, height: 0, frameRate: undefined, bitrateBps: undefined })),
    chosen: () => asked.at(-1) ?? "auto",
    choose: (_id, name) => {
      asked.push(name);
      return true;
    },
  };
}

function qualityOf(of: Ladder & { readonly asked: string[] }, level: QualityLevel = "auto") {
  const onWish = ({ rung }: { readonly rung?: string | undefined }): unknown => of.asked.push(rung ?? "auto");
  return new AdaptiveBitrateController({ ladder: of, trackId: "v0", level, otherBps: 0, onWish });
}

describe("the quality of prepared content", () => {
  const cases: [QualityLevel, string][] = [
    ["auto", "auto"],
    ["very_low", "very_low"],
    ["low", "medium"],
    ["medium", "medium"],
    ["high", "source"],
    ["very_high", "source"],
  ];
  it.each(cases)("%s is the rendition %s of a ladder with a gap and the source on top", (level, name) => {
    const it = ladder(["very_low", "medium", "source"]);
    const quality = qualityOf(it);
    expect(quality.set("pc", level)).toEqual({ success: true });
    expect([it.asked.at(-1), quality.level()]).toEqual([name, level]);
  });

  it("is the best where nothing is so demanding, and what the viewer asked for at the start", () => {
    const it = ladder(["very_low", "low"]);
    expect(qualityOf(it, "very_high").level()).toBe("very_high");
    expect(it.asked).toEqual(["low"]);
  });

  const choices: [readonly string[], readonly QualityLevel[]][] = [
    [
      ["very_low", "medium", "source"],
      ["auto", "very_low", "medium", "very_high"],
    ],
    [
      ["low", "very_high", "source"],
      ["auto", "low", "very_high"],
    ],
    [
      ["low", "high"],
      ["auto", "low", "high"],
    ],
    [["source"], []],
  ];
  it.each(choices)("of the renditions %j is a choice of %j", (names, levels) => {
    expect(qualityOf(ladder(names)).levels()).toEqual(levels);
  });
});
