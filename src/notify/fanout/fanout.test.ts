import { beforeEach, describe, expect, test } from "vitest";
import { noMetrics, silentLogger, VirtualClock } from "../../core/index.ts";
import { FLUSH_MS, HIGH_WATER_BYTES, MAX_DROPS, MAX_FOLLOWERS, STALL_MS } from "../limits.ts";
import { createEventLog, type EventLog } from "../log/index.ts";
import { type Lost, tenantAudience } from "../types.ts";
import {
  type Batch,
  createFanout,
  createSelection,
  type Fanout,
  type Selection,
  type Sink,
  textFrame,
} from "./index.ts";

/** A sink whose socket can be stopped. */
class TestSink implements Sink {
  readonly offsets: number[] = [];
  readonly batches: number[] = [];
  readonly losses: Lost[] = [];
  gaveUp: string | undefined;
  buffered = 0;
  blocked = false;

  write(batch: Batch): void {
    this.batches.push(batch.entries.length);
    this.offsets.push(...batch.entries.map(({ event }) => event.offset));
    if (this.blocked) this.buffered += batch.frames().length;
  }
  bufferedBytes(): number {
    return this.buffered;
  }
  lost(lost: Lost): void {
    this.losses.push(lost);
  }
  giveUp(reason: string): void {
    this.gaveUp = reason;
  }
}

describe("fan-out", () => {
  let clock: VirtualClock;
  let log: EventLog;
  let fanout: Fanout;
  beforeEach(() => {
    clock = new VirtualClock(1000);
    log = createEventLog({ maxEvents: 2000 })({ clock, log: silentLogger, metrics: noMetrics });
    fanout = createFanout({ log, clock, metrics: noMetrics });
  });

  const selection = (topics: readonly string[], flushMs = FLUSH_MS, filter?: string): Selection =>
    createSelection({ topics: new Set(topics), flushMs, audienceClass: "", filter }, tenantAudience);
  const subscribed = (topics: readonly string[], flushMs = FLUSH_MS): TestSink => {
    const sink = new TestSink();
    fanout.subscribe(sink).select(selection(topics, flushMs), () => {});
    return sink;
  };

  test("events of one flush go as one write, built once for all who want the same", () => {
    const [a, b, other] = [subscribed(["t"]), subscribed(["t"]), subscribed(["u"])];
    log.append("t", {});
    log.append("u", {});
    log.append("t", {});
    expect(a.offsets).toEqual([]);
    clock.advance(FLUSH_MS);
    expect([a.batches, b.batches, other.batches]).toEqual([[2], [2], [1]]);
    expect(fanout.delivered).toBe(5);
  });

  test("with no flush time an event goes at the end of the turn", async () => {
    const sink = subscribed(["t"], 0);
    log.append("t", {});
    log.append("t", {});
    expect(sink.offsets).toEqual([]);
    await Promise.resolve();
    expect(sink.batches).toEqual([2]);
  });

  test("one that does not read is passed over, and then gets everything it missed, in order and once", () => {
    const [slow, quick] = [subscribed(["t"]), subscribed(["t"])];
    slow.blocked = true;
    for (let n = 0; n < 1500; n += 1) {
      log.append("t", { text: "x".repeat(1000) });
      if (n % 10 === 0) clock.advance(FLUSH_MS);
    }
    clock.advance(FLUSH_MS);
    expect(quick.offsets).toHaveLength(1500);
    expect(slow.buffered).toBeLessThan(HIGH_WATER_BYTES + 100_000);
    slow.blocked = false;
    slow.buffered = 0;
    for (let n = 0; n < 100; n += 1) clock.advance(FLUSH_MS);
    expect(slow.offsets).toEqual(quick.offsets);
    log.append("t", {});
    clock.advance(FLUSH_MS);
    expect(slow.offsets).toHaveLength(1501);
  });

  test("latest-value events that came while it was behind are reduced to the last of each key", () => {
    const sink = subscribed(["progress", "t"]);
    sink.buffered = HIGH_WATER_BYTES + 1;
    for (let n = 0; n < 100; n += 1) log.append("progress", { n }, { latestKey: n % 2 === 0 ? "a" : "b" });
    log.append("t", {});
    clock.advance(FLUSH_MS);
    sink.buffered = 0;
    clock.advance(FLUSH_MS);
    expect(sink.offsets).toEqual([99, 100, 101]);
  });

  test("what the log has forgotten meanwhile is told, and after too many losses it is given up", () => {
    const sink = subscribed(["t"]);
    for (let round = 1; round <= MAX_DROPS; round += 1) {
      sink.buffered = HIGH_WATER_BYTES + 1;
      for (let n = 0; n < 3000; n += 1) log.append("t", {});
      clock.advance(FLUSH_MS);
      sink.buffered = 0;
      clock.advance(FLUSH_MS * 10);
    }
    expect(sink.losses).toHaveLength(MAX_DROPS);
    expect(sink.losses[0]).toEqual({ fromOffset: 1, toOffset: 1000 });
    expect(sink.gaveUp).toMatch("lost");
  });

  test("one that never reads again is given up after a while, and not before", () => {
    const sink = subscribed(["t"]);
    sink.buffered = HIGH_WATER_BYTES + 1;
    log.append("t", {});
    clock.advance(STALL_MS - FLUSH_MS);
    expect(sink.gaveUp).toBeUndefined();
    clock.advance(FLUSH_MS * 4);
    expect(sink.gaveUp).toMatch("nothing was read");
  });

  test("a change of selection neither drops what was gathered nor brings what came before", () => {
    const sink = new TestSink();
    const subscriber = fanout.subscribe(sink);
    subscriber.select(selection(["t"]), () => {});
    log.append("t", {});
    log.append("u", {});
    const order: string[] = [];
    subscriber.select(selection(["u"]), () => order.push(`reply after ${sink.offsets.length}`));
    log.append("t", {});
    log.append("u", {});
    clock.advance(FLUSH_MS);
    expect(order).toEqual(["reply after 0"]);
    expect(sink.offsets).toEqual([1, 4]);
  });

  test("changes while behind hold from where they were made", () => {
    const sink = new TestSink();
    const subscriber = fanout.subscribe(sink);
    subscriber.select(selection(["t"]), () => {});
    sink.buffered = HIGH_WATER_BYTES + 1;
    log.append("t", {});
    clock.advance(FLUSH_MS);
    subscriber.select(selection(["u"]), () => {});
    log.append("t", {});
    log.append("u", {});
    subscriber.select(selection([]), () => {});
    log.append("u", {});
    subscriber.select(selection(["all_events"]), () => {});
    log.append("v", {});
    sink.buffered = 0;
    clock.advance(FLUSH_MS * 2);
    expect(sink.offsets).toEqual([1, 3, 5]);
  });

  test("a reader that pulls goes on from where it was, and ends with its signal", async () => {
    for (let n = 0; n < 5; n += 1) log.append("t", { n });
    const controller = new AbortController();
    const offsets: number[] = [];
    for await (const page of fanout.follow(selection(["t"], 0, "n != 3"), {
      from: 2,
      signal: controller.signal,
    })) {
      offsets.push(...page.events.map(event => event.offset));
      if (offsets.length === 3) {
        log.append("t", { n: 9 });
      } else controller.abort();
    }
    expect(offsets).toEqual([2, 3, 5, 6]);
  });

  test("there are so many readers that pull and no more", async () => {
    log.append("t", {});
    const readers = Array.from({ length: MAX_FOLLOWERS }, () => fanout.follow(selection(["t"]), { from: 1 }));
    await Promise.all(readers.map(reader => reader.next()));
    await expect(fanout.follow(selection(["t"])).next()).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    await readers[0]?.return();
    expect(await fanout.follow(selection(["t"]), { from: 1 }).next()).toMatchObject({ done: false });
    fanout.close();
  });

  test.each([
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 255, 255]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ])("a frame of %d bytes has the head of RFC 6455", (length, head) => {
    const frame = textFrame("x".repeat(length));
    expect([...frame.subarray(0, head.length)]).toEqual(head);
    expect(frame.length).toBe(head.length + length);
  });
});
