import { describe, expect, it } from "vitest";
import type { Rung } from "./types.ts";
import { Flow, type FlowInit, PRESETS, run } from "./testing/flow.ts";

const mbps = 1_000_000;

/** A film of one quality. */
const ONE: readonly Rung[] = [{ name: "only", width: 1280, height: 720, bitrateBps: 2_500_000 }];

function play(init: FlowInit, seconds: number): Flow {
  const flow = new Flow(init);
  run([flow], 0, seconds * 1000);
  return flow;
}

/** Numbers between 0 and 1, the same each time. */
function random(seed = 12_345): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

const queues = (flow: Flow, from = 0): number[] =>
  flow.samples
    .filter(({ ms }) => ms >= from)
    .map(({ queueMs }) => queueMs)
    .toSorted((a, b) => a - b);
const p95 = (values: readonly number[]): number => values[Math.floor(values.length * 0.95)] ?? 0;
const longest = (times: readonly number[], from: number, to: number): number => {
  const within = times.filter(ms => ms >= from && ms <= to);
  return Math.max(0, ...within.map((ms, i) => ms - (within[i - 1] ?? ms)));
};
const shownAt = (flow: Flow, rung: string, after: number): number =>
  flow.shown.find(entry => entry.rung === rung && entry.ms >= after)?.ms ?? Number.POSITIVE_INFINITY;

describe("a path of 5 Mbit/s that narrows to 900 kbit/s and widens again", () => {
  it("is answered by a rung down within a second, and the 2.5 Mbit/s rung again within ten", () => {
    for (const [cutMs, withinMs] of [
      [15_000, 500],
      [15_200, 500],
      [15_350, 500],
      [15_500, 600],
      [15_700, 500],
      [15_900, 500],
    ] as const) {
      const wideMs = cutMs + 20_000;
      const capacityBps = (now: number): number => (now < cutMs || now >= wideMs ? 5 * mbps : 900_000);
      const flow = play({ capacityBps, queueLimitMs: 1000 }, 50);
      const decided = flow.decisions.find(({ kind, atMs }) => kind === "down" && atMs >= cutMs);
      expect(decided?.atMs).toBeLessThan(cutMs + withinMs);
      expect(decided).toMatchObject({ from: "high", reason: "delay" });
      // What is sent is that of the lower rung, from its last keyframe on where that is sooner than to wait for its next one.
      expect(shownAt(flow, "low", cutMs)).toBeLessThan(cutMs + 1200);
      expect(flow.freezeMs(cutMs, wideMs)).toBeLessThan(700);
      expect(shownAt(flow, "high", wideMs)).toBeLessThan(wideMs + 10_000);
      expect(p95(queues(flow, 5000))).toBeLessThan(150);
      expect(longest(flow.sounds, 1000, 50_000)).toBeLessThan(1000);
    }
  });

  it("keeps to what it has come to while nothing changes", () => {
    for (const capacity of [0.7, 0.9, 1.4, 2.2, 3.2, 5, 8]) {
      const flow = play({ capacityBps: () => capacity * mbps }, 60);
      const late = flow.shown.filter(({ ms }) => ms > 10_000).map(({ ms }) => ms);
      for (const [i, ms] of late.entries()) expect(ms - (late[i - 2] ?? 0)).toBeGreaterThanOrEqual(5000);
      expect(late.length).toBeLessThanOrEqual(4);
      expect(p95(queues(flow, 5000))).toBeLessThan(150);
    }
  });
});

describe("loss", () => {
  it("of five in a hundred changes no rung", () => {
    const next = random();
    const flow = play({ capacityBps: () => 5 * mbps, loses: () => next() < 0.05 }, 40);
    expect(flow.shown.map(({ rung }) => rung)).toEqual(["low", "high"]);
    expect(flow.estimator.lossShare(40_000)).toBeGreaterThan(0.02);
  });

  it("of five in a hundred costs no freeze above 200 ms", () => {
    for (const seed of [1, 2, 3, 4]) {
      const next = random(seed);
      const loses = (): boolean => next() < 0.05;
      const flow = play({ capacityBps: () => 50 * mbps, delayMs: 15, loses, rungs: ONE }, 20);
      expect(flow.freezeMs(3000, 20_000)).toBeLessThanOrEqual(200);
      expect(flow.receiver.keyframeRequests).toBe(0);
    }
  });

  it("of ten in a hundred, in bursts, lets it play on", () => {
    const next = random();
    let left = 0;
    const loses = (): boolean => {
      if (left > 0) left--;
      else if (next() < 1 / 90) left = 10;
      return left > 0;
    };
    const flow = play({ capacityBps: () => 5 * mbps, loses }, 40);
    expect(flow.player.playback(40_000)).toMatchObject({ state: "playing" });
    expect(flow.player.playback(40_000).positionSeconds).toBeGreaterThan(39);
    expect(flow.player.pictures.rung).toBe("high");
    expect(flow.freezeMs(2000, 40_000)).toBeLessThan(500);
  });

  it("of a shallow queue that drops is answered like a queue", () => {
    const capacityBps = (now: number): number => (now < 10_000 ? 5 * mbps : 1.4 * mbps);
    const flow = play({ capacityBps, queueLimitMs: 20 }, 30);
    expect(flow.player.pictures.rung).toBe("medium");
    expect(flow.decisions).toContainEqual(expect.objectContaining({ kind: "down", from: "high" }));
  });
});

describe("a path of 200 kbit/s", () => {
  it("keeps the sound, gives the pictures up with a notice, and takes them up again", () => {
    const capacityBps = (now: number): number => (now < 10_000 || now > 30_000 ? 5 * mbps : 200_000);
    const flow = play({ capacityBps, queueLimitMs: 1000 }, 45);
    const kinds = flow.decisions.map(({ kind }) => kind);
    expect(kinds).toContain("pictures_paused");
    expect(kinds.indexOf("pictures_resumed")).toBeGreaterThan(kinds.indexOf("pictures_paused"));
    // Once the queue of before has gone, every packet of sound comes when it should.
    expect(longest(flow.sounds, 14_000, 30_000)).toBeLessThan(200);
    expect(flow.sounds.filter(ms => ms > 14_000 && ms < 30_000).length).toBeGreaterThan(780);
    expect(flow.pictures.filter(ms => ms > 14_000 && ms < 30_000)).toEqual([]);
    expect(p95(queues(flow).slice(0, -1))).toBeLessThan(1000);
    expect(shownAt(flow, "high", 30_000)).toBeLessThan(42_000);
  });
});

describe("a path that carries a part of the only quality", () => {
  it("has its pictures taken up again once it carries some of them, and not only once it carries all", () => {
    const capacityBps = (now: number): number =>
      now < 5000 ? 5 * mbps : now < 14_000 ? 250_000 : 1.5 * mbps;
    const flow = play({ capacityBps, rungs: ONE, queueLimitMs: 1000 }, 40);
    const kinds = flow.decisions.map(({ kind }) => kind);
    expect(kinds).toContain("pictures_paused");
    expect(flow.adaptation.picturesPaused).toBe(false);
    expect(flow.pictures.filter(ms => ms > 10_000 && ms < 14_000)).toEqual([]);
    expect(flow.pictures.filter(ms => ms > 25_000).length).toBeGreaterThan(100);
    expect(longest(flow.sounds, 16_000, 40_000)).toBeLessThan(500);
  });

  it("is asked for more while what others send stands in its queue", () => {
    const bottleneck = { freeMs: 0 };
    const init = { capacityBps: () => 3 * mbps, queueLimitMs: 300, bottleneck, rungs: ONE, feedbackMs: 100 };
    const flows = [0, 150, 320].map(startMs => new Flow({ ...init, startMs }));
    run(flows, 400, 60_000);
    for (const flow of flows) expect(flow.freezeMs(15_000, 60_000)).toBeLessThan(8000);
  });
});

describe("the first rung", () => {
  it("fits what the path carried last time, and is kept", () => {
    const hinted = play({ capacityBps: () => 5 * mbps, hintBps: 4 * mbps }, 10);
    expect(hinted.shown.map(({ rung }) => rung)).toEqual(["high"]);
    const narrow = play({ capacityBps: () => 700_000, hintBps: 650_000 }, 10);
    expect(narrow.shown.map(({ rung }) => rung)).toEqual(["low"]);
  });

  it("is left for the one that fits at the next keyframe, where nothing was known", () => {
    const flow = play({ capacityBps: () => 8 * mbps }, 4);
    expect(flow.shown.at(-1)).toMatchObject({ rung: "very_high" });
    expect(flow.shown.at(-1)?.ms).toBeLessThan(2200);
  });

  it("is not kept to a hint that has become wrong", () => {
    const flow = play({ capacityBps: () => 600_000, hintBps: 6 * mbps, queueLimitMs: 1000 }, 12);
    expect(["very_low", "low"]).toContain(flow.player.pictures.rung);
    expect(flow.decisions.some(({ kind }) => kind === "down")).toBe(true);
  });
});

describe("supply", () => {
  it("a rung that cannot be had is given up, and the one that plays goes on", () => {
    const fetchMs = (rung: string): number => (rung === "high" || rung === "very_high" ? 1e9 : 10);
    const flow = play({ capacityBps: () => 5 * mbps, fetchMs }, 20);
    expect(new Set(flow.shown.map(({ rung }) => rung))).toEqual(new Set(["low", "medium"]));
    expect(flow.decisions.filter(({ kind }) => kind === "refused").length).toBeGreaterThan(0);
    expect(flow.player.playback(20_000).positionSeconds).toBeGreaterThan(19.5);
  });

  it("blocks that come more slowly than they are played take it down", () => {
    const fetchMs = (rung: string, now: number): number =>
      now < 8000 ? 10 : rung === "high" ? 1400 : rung === "medium" ? 700 : 300;
    const flow = play({ capacityBps: () => 5 * mbps, fetchMs }, 30);
    expect(flow.decisions).toContainEqual(expect.objectContaining({ kind: "down", reason: "supply" }));
    expect(["low", "medium"]).toContain(flow.player.pictures.rung);
  });
});

describe("limits", () => {
  it("of the page's picture and of the bitrate are kept", () => {
    const small = play({ capacityBps: () => 20 * mbps, wish: { view: { width: 600, height: 338 } } }, 8);
    expect(small.player.pictures.rung).toBe("low");
    const cheap = play({ capacityBps: () => 20 * mbps, wish: { maxBitrateBps: 1.2 * mbps } }, 8);
    expect(cheap.player.pictures.rung).toBe("medium");
    cheap.adaptation.wish = { maxRung: "very_low" };
    run([cheap], 8000, 10_000);
    expect(cheap.player.pictures.rung).toBe("very_low");
    cheap.adaptation.wish = { rung: "very_high" };
    run([cheap], 10_000, 12_000);
    expect(cheap.player.pictures.rung).toBe("very_high");
    expect(cheap.decisions.at(-1)).toMatchObject({ kind: "chosen", reason: "viewer" });
  });
});

describe("a path that is restless but wide enough", () => {
  it("takes nothing down: jitter of 30 ms, with packets that overtake each other", () => {
    const next = random();
    const flow = play({ capacityBps: () => 5 * mbps, stallMs: () => next() * 30 }, 40);
    expect(flow.decisions.filter(({ kind }) => kind === "down")).toEqual([]);
    expect(flow.player.pictures.rung).toBe("high");
  });

  it("takes nothing down: a radio that is silent for a fifth of a second at times", () => {
    const stallMs = (arrivedMs: number): number =>
      arrivedMs % 3000 < 200 && arrivedMs > 3000 ? 200 - (arrivedMs % 3000) : 0;
    const flow = play({ capacityBps: () => 5 * mbps, stallMs }, 40);
    expect(flow.decisions.filter(({ kind }) => kind === "down")).toEqual([]);
    expect(flow.player.pictures.rung).toBe("high");
  });
});

describe("a machine with too much to do", () => {
  /** Moments of up to four fifths of a second in which nothing is done, twice a second: how long the one of a time still lasts, ms. */
  function stalls(next: () => number): (nowMs: number) => number {
    const ends: { readonly from: number; readonly to: number }[] = [];
    for (let at = 3000; at < 40_000; ) {
      const from = at - Math.log(1 - next()) * 500;
      at = from + Math.min(800, -Math.log(1 - next()) * 200);
      ends.push({ from, to: at });
    }
    return now => Math.max(0, (ends.find(({ from, to }) => now >= from && now < to)?.to ?? now) - now);
  }

  it("at both ends of a jittery path leaves no picture out: what was held up comes at once, and is no queue", () => {
    for (const seed of [1, 2, 3]) {
      const next = random(seed);
      const [ours, theirs] = [stalls(next), stalls(next)];
      let last = 0;
      const stallMs = (atMs: number): number => {
        const late = atMs + next() * 15;
        const overtaken = next() < 0.02;
        if (!overtaken) last = Math.max(late, last);
        const seen = overtaken ? late + 8 : last;
        return seen + theirs(seen) - atMs;
      };
      const flow = play({ capacityBps: () => 50 * mbps, stallMs, lateMs: ours, rungs: ONE }, 30);
      expect(flow.decisions.map(({ kind }) => kind)).toEqual(["start"]);
      expect(flow.pictures.length).toBeGreaterThan(870);
    }
  });
});

describe("our own lateness", () => {
  it("takes nothing down", () => {
    const lateMs = (now: number): number => (now % 2000 < 20 ? 120 : 0);
    const flow = play({ capacityBps: () => 5 * mbps, lateMs }, 30);
    expect(flow.decisions.filter(({ kind }) => kind === "down")).toEqual([]);
    expect(flow.player.pictures.rung).toBe("high");
  });
});

describe("without what a path can be filled with", () => {
  it("the next rung is tried now and then, and kept where it fits", () => {
    const capacityBps = (now: number): number => (now > 5000 && now < 12_000 ? 600_000 : 5 * mbps);
    const flow = play({ capacityBps, canPad: false, queueLimitMs: 1000 }, 60);
    expect(flow.decisions.some(({ reason }) => reason === "trial")).toBe(true);
    expect(["medium", "high"]).toContain(flow.player.pictures.rung);
  });
});

describe("three viewers on one path of 6 Mbit/s", () => {
  it("of one quality that is too much for all of them share it within a factor of 1.5", () => {
    for (const starts of [
      [0, 100, 200],
      [0, 1000, 2000],
      [0, 3170, 6340],
    ]) {
      const bottleneck = { freeMs: 0 };
      const init = { capacityBps: () => 6 * mbps, queueLimitMs: 300, bottleneck, rungs: ONE };
      const flows = starts.map(startMs => new Flow({ ...init, startMs }));
      let before: readonly number[] = [];
      for (let now = 0; now < 60_000; now++) {
        if (now === 10_000) before = flows.map(({ bytes }) => bytes);
        for (const [i, flow] of flows.entries()) if (now >= (starts[i] ?? 0)) flow.step(now);
      }
      const got = flows.map(({ bytes }, i) => bytes - (before[i] ?? 0));
      expect(Math.max(...got) / Math.min(...got)).toBeLessThan(1.5);
    }
  });

  it("all play, and none stands more than one rung above another for long", () => {
    const bottleneck = { freeMs: 0 };
    const starts = [0, 3170, 6340];
    const flows = starts.map(startMs => new Flow({ capacityBps: () => 6 * mbps, bottleneck, startMs }));
    for (let now = 0; now < 60_000; now++) {
      for (const [i, flow] of flows.entries()) if (now >= (starts[i] ?? 0)) flow.step(now);
    }
    const places = flows.map(({ player }) => PRESETS.findIndex(({ name }) => name === player.pictures.rung));
    expect(Math.max(...places) - Math.min(...places)).toBeLessThanOrEqual(1);
    for (const flow of flows) {
      expect(flow.player.playback(60_000).state).toBe("playing");
      expect(p95(queues(flow, 20_000))).toBeLessThan(150);
      expect(flow.adaptation.picturesPaused).toBe(false);
    }
  });
});
