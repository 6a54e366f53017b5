import { describe, expect, it } from "vitest";
import { Pacer } from "../player/pacer.ts";
import { type EgressStream, History } from "../rtp/egress/index.ts";
import { MAX_WAITING_RESENDS, Resender } from "./resender.ts";

const SSRC = 7;
const NOW = { nowMs: 10_000, packetsSent: 100_000, roundTripMs: 40 };

/** A stream of which so many packets have been sent. */
function setUp(packets: number, payloadBytes = 1000) {
  const resent: number[] = [];
  const pacer = new Pacer(0);
  const resender = new Resender(pacer);
  const history = new History(1024);
  const payload = Buffer.alloc(payloadBytes);
  for (let sequence = 0; sequence < packets; sequence++) history.add(sequence, payload, sequence, false);
  const stream = (sequence: number, send: EgressStream["send"]): EgressStream => ({
    ssrc: SSRC,
    sequence,
    packets: sequence,
    octets: 0,
    send,
  });
  resender.add({
    ssrc: SSRC,
    main: stream(packets, () => undefined),
    rtx: stream(0, (_payload, _timestamp, _marker, prefix) => resent.push(prefix ?? -1)),
    history,
  });
  const exhaust = (): void => {
    while (pacer.mayCarryOn) pacer.spend(10_000);
  };
  return { resender, pacer, resent, exhaust };
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
      resender.drain();
    }
    expect(resent).toHaveLength(1 + MAX_WAITING_RESENDS);
    expect(resent).toEqual(resent.toSorted((a, b) => a - b));
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
