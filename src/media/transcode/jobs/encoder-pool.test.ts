import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLogger, VirtualClock } from "../../../core/index.ts";
import { mediaChildren, signalChildren } from "../../testing/children.ts";
import { findEncoder } from "../encoder.ts";
import { EncoderPool } from "./encoder-pool.ts";

describe.skipIf(findEncoder({}).kind !== "node-av")("EncoderPool", () => {
  const clock = new VirtualClock();
  let pool: EncoderPool;
  beforeEach(() => {
    pool = new EncoderPool({ ffmpegPath: undefined, log: silentLogger, clock, warm: 1 });
  });
  afterEach(() => pool.stop());

  test("an idle process is used again while it answers, and replaced once it does not", async () => {
    const first = await pool.take();
    pool.giveBack(first);
    const again = await pool.take();
    expect(again.pid).toBe(first.pid);
    pool.giveBack(again);
    const silent = mediaChildren();
    expect(silent.map(child => child.pid)).toEqual([first.pid]);
    signalChildren(silent, "SIGSTOP");
    const taking = pool.take();
    // Until it is given up; then the clock stands still while the next one starts.
    while (!silent.some(child => child.killed)) {
      clock.advance(500);
      await new Promise(resolve => setImmediate(resolve));
    }
    const other = await taking;
    expect(other.pid).not.toBe(first.pid);
    expect(await other.answers()).toBe(true);
    await first.exited;
    expect(pool.size).toBe(1);
  });

  test("one that is killed while it starts is replaced by who needs it", async () => {
    pool.warmUp();
    const starting = mediaChildren();
    expect(starting).toHaveLength(1);
    signalChildren(starting, "SIGKILL");
    const taken = await pool.take();
    expect(taken.pid).not.toBe(starting[0]?.pid);
    expect(await taken.answers()).toBe(true);
  });
});
