import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codecName, formatBitrate, formatBytes, formatTime, shortCid, spokenTime } from "./format.ts";

describe("formatTime", () => {
  it.each([
    [0, "0:00"],
    [7.9, "0:07"],
    [61, "1:01"],
    [3599.99, "59:59"],
    [3723, "1:02:03"],
    [-1, "0:00"],
    [undefined, "–:––"],
    [Number.NaN, "–:––"],
    [Number.POSITIVE_INFINITY, "–:––"],
  ])("writes %s as %s", (seconds, text) => {
    expect(formatTime(seconds)).toBe(text);
  });

  it("writes hours on demand, so that position and duration line up", () => {
    expect(formatTime(61, true)).toBe("0:01:01");
  });

  it("reads back to the same whole second", () => {
    fc.assert(
      fc.property(fc.nat({ max: 360_000 }), seconds => {
        const parts = formatTime(seconds).split(":").map(Number);
        expect(parts.reduce((sum, part) => sum * 60 + part, 0)).toBe(seconds);
      }),
    );
  });
});

describe("spokenTime", () => {
  it.each([
    [0, "0 seconds"],
    [1, "1 second"],
    [65, "1 minute 5 seconds"],
    [3600, "1 hour"],
    [undefined, "unknown"],
  ])("says %s as %s", (seconds, text) => {
    expect(spokenTime(seconds)).toBe(text);
  });
});

describe("formatBytes, formatBitrate", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_500, "1.5 kB"],
    [24_000_000, "24 MB"],
    [5e15, "5000 TB"],
  ])("writes %s bytes as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("writes bit rates and a dash for none", () => {
    expect(formatBitrate(2_500_000)).toBe("2.5 Mbit/s");
    expect(formatBitrate(undefined)).toBe("–");
  });
});

describe("shortCid", () => {
  it("keeps both ends of a long one and all of a short one", () => {
    expect(shortCid(`bafybeigdyrzt${"x".repeat(40)}abcdef`)).toBe("bafybeigdy…abcdef");
    expect(shortCid("bafyshort")).toBe("bafyshort");
  });
});

describe("codecName", () => {
  it("writes known codecs as people do, and leaves others alone", () => {
    expect(codecName("h264")).toBe("H.264");
    expect(codecName("OPUS")).toBe("Opus");
    expect(codecName("toString")).toBe("toString");
  });
});
