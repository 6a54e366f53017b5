import { describe, expect, it } from "vitest";
import { Pacer } from "../player/pacer.ts";
import { type EgressStream, History } from "../rtp/egress/index.ts";
import { MAX_WAITING_RESENDS, Resender } from "./resender.ts";

const SSRC = 7;
const NOW = { nowMs: 10_000, packetsSent: 100_000, roundTripMs: 40 };

/** A stream of which so many packets have been sent. */
function setUp(packets: number, payloadBytes = 1000) {
  const resent: number[] = [];
  const copies = { count: 1 };
  const paused = { on: false };
  const pacer = new Pacer(0);
  let last = packets;
  const resender = new Resender({
    pacer,
    lastSequence: () => last,
    copies: () => copies.count,
    isOfUse: () => !paused.on,
  });
  const history = new History(1024);
  const payload = Buffer.alloc(payloadBytes);
  for (let sequence = 0; sequence < packets; sequence++) history.add(sequence, payload, sequence, false);
  const stream = (sequence: number, send: EgressStream["send"]): EgressStream => ({
    ssrc: SSRC,
    payloadType: 96,
    sequence,
    packets: sequence,
    octets: 0,
    send,
  });
  resender.add({
    ssrc: SSRC,
    main: stream(packets, () => undefined),
    rtx: stream(0, (_payload, _timestamp, _marker, prefix) => {
      last++;
      resent.push(prefix ?? -1);
    }),
    history,
  });
  const exhaust = (): void => {
    while (pacer.mayCarryOn) pacer.spend(10_000);
  };
  return { resender, pacer, resent, exhaust, copies, paused, lastSequence: () => last };
}

describe("what is sent again", () => {
  it("leaves at once while the pace allows it, once per round trip", () => {
    const { resender, resent } = setUp(100);
    expect(resender.ask(SSRC, 5, NOW)).toBe(true);
    resender.ask(SSRC, 5, { ...NOW, nowMs: NOW.nowMs + 39 });
    resender.ask(SSRC, 5, { ...NOW, nowMs: NOW.nowMs + 41 });
    expect(resender.ask(SSRC + 1, 5, NOW)).toBe(false);
    expect(resent).toEqual([5, 5]);
  });

  it("waits for the pace, in order, and no more of it than fits", () => {
    const { resender, pacer, resent, exhaust } = setUp(1000);
    // The share that may be sent again is of what has been sent meanwhile.
    resender.ask(SSRC, 0, { ...NOW, packetsSent: 0 });
    exhaust();
    for (let sequence = 1; sequence < 900; sequence++) resender.ask(SSRC, sequence, NOW);
    expect(resent).toEqual([0]);
    for (let now = 0; now < 5000; now += 5) {
      pacer.tick(now, 2_000_000);
      resender.drain(now);
    }
    expect(resent).toHaveLength(1 + MAX_WAITING_RESENDS);
    expect(resent).toEqual(resent.toSorted((a, b) => a - b));
  });

  it("leaves once more when feedback misses the copy, and without being asked for where nothing else tells of it", () => {
    const { resender, resent, lastSequence } = setUp(100);
    const sent = lastSequence();
    resender.onSent(SSRC, 99);
    resender.ask(SSRC, 5, NOW);
    // Within one round trip the viewer's own requests are for the same loss; its feedback knows of the copy.
    resender.ask(SSRC, 5, { ...NOW, nowMs: NOW.nowMs + 30 });
    expect(resent).toEqual([5]);
    const copy = lastSequence();
    resender.onLost(copy, { ...NOW, nowMs: NOW.nowMs + 30 });
    resender.onLost(copy, { ...NOW, nowMs: NOW.nowMs + 31 });
    expect(resent).toEqual([5, 5]);
    resender.onLost(sent, { ...NOW, nowMs: NOW.nowMs + 40 });
    resender.onLost(sent, { ...NOW, nowMs: NOW.nowMs + 400 });
    expect(resent).toEqual([5, 5, 99]);
    resender.onLost(sent - 1, NOW);
    expect(resent).toHaveLength(3);
  });

  it("goes up to three times, ten milliseconds apart, on a path that loses at random", () => {
    const { resender, resent, copies } = setUp(100);
    copies.count = 3;
    resender.ask(SSRC, 5, NOW);
    copies.count = 2;
    resender.ask(SSRC, 6, NOW);
    resender.drain(NOW.nowMs + 9);
    expect(resent).toEqual([5, 6]);
    for (let ms = 10; ms < 60; ms += 5) resender.drain(NOW.nowMs + ms);
    expect(resent).toEqual([5, 6, 5, 6, 5]);
  });

  it("is nothing while pictures are given up", () => {
    const { resender, resent, paused, exhaust, pacer } = setUp(100);
    exhaust();
    resender.ask(SSRC, 5, NOW);
    paused.on = true;
    expect(resender.ask(SSRC, 6, NOW)).toBe(true);
    pacer.tick(1000, 2_000_000);
    resender.drain(NOW.nowMs + 1000);
    paused.on = false;
    resender.drain(NOW.nowMs + 1005);
    expect(resent).toEqual([]);
  });

  it("fills a path with its newest packets, and with nothing before there are some", () => {
    const { resender, resent } = setUp(100);
    expect(resender.canPad).toBe(true);
    expect(resender.pad(5000)).toBe(true);
    expect(resent).toHaveLength(5);
    expect(Math.min(...resent)).toBeGreaterThanOrEqual(100 - 25);
    const empty = setUp(0);
    expect([empty.resender.canPad, empty.resender.pad(5000)]).toEqual([false, false]);
    // Sound's small packets would cost more than they fill.
    expect(setUp(100, 120).resender.pad(5000)).toBe(false);
  });
});
