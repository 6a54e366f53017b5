import { MAX_RATE, MIN_RATE } from "@cidcast/protocols/media-control";
import { describe, expect, it } from "vitest";
import { checkRate, nextRate, RATES, rateText } from "./rates.ts";

describe("rates", () => {
  it("reach from the slowest to the fastest that nodes play", () => {
    expect(RATES[0]).toBe(MIN_RATE);
    expect(RATES.at(-1)).toBe(MAX_RATE);
  });

  it.each([
    [1, 1, 1.25],
    [1, -1, 0.75],
    [1.1, 1, 1.25],
    [1.1, -1, 1],
    [4, 1, 4],
    [0.25, -1, 0.25],
  ] as const)("from %d by %d is %d", (rate, by, next) => {
    expect(nextRate(rate, by)).toBe(next);
  });

  it.each([0.2, 4.1, Number.NaN])("%d is none", rate => {
    expect(() => checkRate(rate)).toThrow(RangeError);
  });

  it("are written with a times sign", () => {
    expect(rateText(1.5)).toBe("1.5×");
  });
});
