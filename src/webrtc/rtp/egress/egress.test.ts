import { describe, expect, it } from "vitest";
import { egressSuite } from "../../../../test/suites/egress.ts";
import {
  createBatchedEgress,
  createJsEgress,
  History,
  historyPackets,
  LinkStats,
  loadNative,
} from "./index.ts";
import { HISTORY_SECONDS } from "./history.ts";

egressSuite("plain JavaScript", createJsEgress);

const native = await loadNative().catch(() => undefined);
if (native !== undefined) {
  egressSuite("batched", init => createBatchedEgress({ ...init, calls: native }));
  egressSuite("batched, native code gone", init => {
    const broken = { ...native, encryptFinal: () => 0, hmacFinal: () => 0 };
    let calls = native;
    // The self-test passes, then the first packet fails.
    const egress = createBatchedEgress({
      ...init,
      calls: new Proxy(native, { get: (_, name) => Reflect.get(calls, name) }),
    });
    calls = broken;
    return egress;
  });
}

describe("what is kept for retransmission", () => {
  it("covers two seconds at any bitrate, and a thousand packets at least", () => {
    expect(historyPackets(undefined)).toBe(1024);
    for (const bps of [1e6, 5e6, 20e6]) {
      expect(historyPackets(bps)).toBeGreaterThanOrEqual((bps / 8 / 1180) * HISTORY_SECONDS);
    }
  });

  it("gives a packet once per round trip, and none that has been written over", () => {
    const history = new History(1024);
    const payload = Buffer.alloc(3);
    for (let sequence = 0; sequence < 1500; sequence++) history.add(sequence, payload, sequence, false);
    expect(history.take(100, 0, 50)).toBeUndefined();
    expect(history.take(1400, 0, 50)).toMatchObject({ timestamp: 1400 });
    expect(history.take(1400, 49, 50)).toBeUndefined();
    expect(history.take(1400, 51, 50)).toBeDefined();
    history.clear();
    expect(history.take(1400, 500, 50)).toBeUndefined();
  });
});

describe("measurements", () => {
  it("count what arrived and what was lost of what was sent", () => {
    const stats = new LinkStats(0);
    for (let sequence = 0; sequence < 100; sequence++) stats.onSent(sequence, 1000);
    for (let sequence = 0; sequence < 100; sequence++) stats.onArrival(sequence, sequence % 10 !== 0);
    stats.onFeedbackEnd(1000);
    expect(stats.packetLoss).toBeCloseTo(0.1);
    expect(stats.receivedBps).toBe(720_000);
    // Packets that others overtook are told of twice.
    for (let sequence = 100; sequence < 200; sequence++) stats.onSent(sequence, 1000);
    for (let sequence = 100; sequence < 200; sequence++) stats.onArrival(sequence, sequence % 10 !== 0);
    for (let sequence = 100; sequence < 200; sequence += 20) stats.onArrival(sequence, true);
    stats.onFeedbackEnd(2000);
    expect(stats.packetLoss).toBeCloseTo(0.05);
    expect(stats.receivedBps).toBe(760_000);
    stats.onRoundTrip(40);
    stats.onRoundTrip(Number.NaN);
    expect(stats.roundTripMs).toBe(40);
  });
});
