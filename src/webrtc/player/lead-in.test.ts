import { describe, expect, it } from "vitest";
import { LEAD_IN_MAX_BYTES, LEAD_IN_MAX_SECONDS, LeadIn } from "./lead-in.ts";

const PICTURE = 4000;
const STEP_MS = 5;

/** What leaves of pictures of 4 kB while there are some, in that time. */
function bytesIn(
  seconds: number,
  path: { estimateBps: number | undefined; limitBps: number | undefined },
): number {
  const lead = new LeadIn(0, path);
  let bytes = 0;
  for (let nowMs = 0; nowMs <= seconds * 1000; nowMs += STEP_MS) {
    while (!lead.spent && lead.mayCarryOn(nowMs)) {
      lead.spend(PICTURE);
      bytes += PICTURE;
    }
  }
  return bytes;
}

describe("LeadIn", () => {
  it("goes as fast as receivers decode where nothing is known of the path", () => {
    const bytes = bytesIn(0.5, { estimateBps: undefined, limitBps: undefined });
    // 500 pictures a second are the bound here.
    expect(bytes / PICTURE).toBeGreaterThan(240);
    expect(bytes / PICTURE).toBeLessThan(260);
  });

  it("sends what a path that is the limit carries, and no longer than four seconds of that", () => {
    const path = { estimateBps: 1_000_000, limitBps: 1_000_000 } as const;
    expect(bytesIn(1, path)).toBeLessThan(125_000 + 12_500 + 2 * PICTURE);
    expect(bytesIn(1, path)).toBeGreaterThan(120_000);
    expect(bytesIn(10, path)).toBeLessThanOrEqual(125_000 * LEAD_IN_MAX_SECONDS + PICTURE);
  });

  it("tries more than a path has shown that was never full", () => {
    expect(bytesIn(0.3, { estimateBps: 500_000, limitBps: undefined })).toBeGreaterThan(300_000);
  });

  it("ends after so many bytes", () => {
    const most = bytesIn(60, { estimateBps: 100_000_000, limitBps: undefined });
    expect(most).toBeGreaterThanOrEqual(LEAD_IN_MAX_BYTES);
    expect(most).toBeLessThan(LEAD_IN_MAX_BYTES + PICTURE);
  });
});
