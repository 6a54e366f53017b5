import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBandwidth } from "./bandwidth.ts";

const setUp = (stored?: string) => {
  let text: string | null = stored ?? null;
  let now = 1_000_000;
  const storage = {
    getItem: () => text,
    setItem(_key: string, value: string) {
      text = value;
    },
  };
  const bandwidth = createBandwidth(
    () => storage,
    () => now,
  );
  return {
    bandwidth,
    later: (ms: number) => {
      now += ms;
    },
  };
};

describe("the bandwidth of last time", () => {
  it("is kept for half an hour", () => {
    const { bandwidth, later } = setUp();
    expect(bandwidth.get()).toBeUndefined();
    bandwidth.keep(2_500_000.4);
    later(29 * 60_000);
    expect(bandwidth.get()).toBe(2_500_000);
    later(2 * 60_000);
    expect(bandwidth.get()).toBeUndefined();
  });

  it("is nothing where the storage holds something else, or is forbidden", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), text => {
        const bps = setUp(text).bandwidth.get();
        expect(bps === undefined || bps >= 1).toBe(true);
      }),
    );
    const forbidden = createBandwidth(() => {
      throw new Error("forbidden");
    });
    forbidden.keep(1000);
    expect(forbidden.get()).toBeUndefined();
  });
});
