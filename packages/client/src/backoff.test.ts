import { describe, expect, it } from "vitest";
import { createBackoff } from "./backoff.ts";

const INIT = { firstMs: 100, maxMs: 1_000, factor: 2, jitter: 0.5, maxAttempts: 6 };

describe("createBackoff", () => {
  it("doubles up to the cap", () => {
    const backoff = createBackoff({ ...INIT, random: () => 0 });
    const waits = Array.from({ length: 6 }, () => backoff.next());
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  it("gives up after the last attempt and starts anew after a reset", () => {
    const backoff = createBackoff({ ...INIT, maxAttempts: 1, random: () => 0 });
    expect(backoff.next()).toBe(100);
    expect(backoff.next()).toBeUndefined();
    backoff.reset();
    expect(backoff.attempts).toBe(0);
    expect(backoff.next()).toBe(100);
  });

  it("takes no more than its share away at random", () => {
    expect(createBackoff({ ...INIT, random: () => 0.999 }).next()).toBe(50);
  });
});
