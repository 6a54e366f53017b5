import { describe, expect, it } from "vitest";
import { chartPath, MAX_CHART_SAMPLES } from "./charts.ts";

const points = (path: string) =>
  [...path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);

describe("chartPath", () => {
  it("ends at the right edge, with the largest value at the top and nothing at the bottom", () => {
    expect(points(chartPath([0, 5, 10])).map(([, y]) => y)).toEqual([27, 14, 1]);
    expect(points(chartPath([0, 5, 10])).at(-1)?.[0]).toBe(120);
    expect(points(chartPath(Array.from({ length: MAX_CHART_SAMPLES }, () => 1)))[0]?.[0]).toBe(0);
  });

  it("is a line along the bottom where all is nought", () => {
    expect(points(chartPath([0, 0])).map(([, y]) => y)).toEqual([27, 27]);
  });
});
