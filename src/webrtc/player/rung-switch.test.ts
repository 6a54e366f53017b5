import { describe, expect, it } from "vitest";
import { packetiseSegment } from "../rtp/packetise/index.ts";
import { fakeSegment } from "../testing/fake-media.ts";
import { Player } from "./player.ts";
import type { SegmentPlace } from "./track-queue.ts";

const DURATION_SECONDS = 20;

interface Request {
  readonly ticket: number;
  readonly place: SegmentPlace;
}

/** Pictures in two rungs, with a keyframe each second; what another rung asks for is answered by the test. */
function setUp(estimateBps?: number) {
  let now = 0;
  let users = 0;
  const requests: Request[] = [];
  const shown: string[] = [];
  const failed: string[] = [];
  const pictures: number[] = [];
  const segmentOf = (start: number, rung: string) => {
    const segment = fakeSegment({ id: "v0", start, durationSeconds: DURATION_SECONDS, keyBytes: 2000 });
    return { ...segment, key: `${rung}/${start}` };
  };
  const player = new Player({
    tracks: [{ kind: "video", bitrateBps: 800_000 }],
    durationSeconds: DURATION_SECONDS,
    startSeconds: 0,
    nowMs: 0,
    rung: "low",
    path: () => ({ estimateBps, limitBps: undefined }),
    request: (_track, ticket, place) => requests.push({ ticket, place }),
    acquire: (_track, segment) => {
      users++;
      return packetiseSegment(segment, "h264");
    },
    release: () => users--,
    send: (_track, _payload, streamSeconds, marker) => marker && pictures.push(streamSeconds),
    onRung: rung => shown.push(rung),
    onRungFailed: rung => failed.push(rung),
    onChange: () => undefined,
  });
  /** Answers what is asked for in order to play on. */
  const feed = (): void => {
    const played = requests.filter(({ place }) => "at" in place || "after" in place);
    for (const request of played) {
      const { ticket, place } = request;
      requests.splice(requests.indexOf(request), 1);
      if (!("at" in place || "after" in place)) continue;
      const start = "at" in place ? Math.floor(place.at) : Number(place.after.split("/")[1]) + 1;
      const rung = place.rung ?? "low";
      player.deliver(0, ticket, start < DURATION_SECONDS ? segmentOf(start, rung) : undefined, rung);
    }
  };
  const asked = (): { readonly ticket: number; readonly keyAfter: number; readonly rung: string } => {
    const found = requests.find(({ place }) => "keyAfter" in place);
    if (found === undefined || !("keyAfter" in found.place)) throw new Error("no rung is asked for");
    requests.splice(requests.indexOf(found), 1);
    return { ticket: found.ticket, keyAfter: found.place.keyAfter, rung: found.place.rung };
  };
  const answer = (): void => {
    const { ticket, keyAfter, rung } = asked();
    player.deliver(0, ticket, segmentOf(Math.ceil(keyAfter - 0.002), rung), rung);
  };
  /** The segment of the place that is played, in another rung. */
  const deliverHolding = (): void => {
    const found = requests.find(({ place }) => "holding" in place);
    if (found === undefined || !("holding" in found.place)) throw new Error("no rung is asked for");
    requests.splice(requests.indexOf(found), 1);
    const { holding, rung } = found.place;
    player.deliver(0, found.ticket, segmentOf(Math.floor(holding), rung), rung);
  };
  const run = (ms: number): void => {
    for (const end = now + ms; now < end; ) {
      now += 5;
      feed();
      player.tick(now);
    }
  };
  feed();
  player.start(0);
  run(500);
  return {
    player,
    shown,
    failed,
    pictures,
    requests,
    asked,
    answer,
    deliverHolding,
    run,
    now: () => now,
    users: () => users,
  };
}

describe("another rung", () => {
  it("takes over at its next keyframe, however much of the one before is here", () => {
    const { player, shown, answer, run, pictures, now } = setUp();
    expect(player.bufferedSeconds(now())).toBeGreaterThan(1.5);
    player.pictures.switchRung("high", 2_000_000);
    answer();
    run(400);
    expect(shown).toEqual([]);
    run(200);
    expect([shown, player.pictures.rung]).toEqual([["high"], "high"]);
    run(2000);
    // Each picture once, at its time.
    const steps = pictures.slice(1).map((at, i) => at - (pictures[i] ?? 0));
    expect(Math.max(...steps)).toBeLessThan(0.05);
    expect(Math.min(...steps)).toBeGreaterThan(0.02);
  });

  it("that is wanted sooner begins with its last keyframe, where the path takes what lies between in less time than it saves", () => {
    const { player, shown, run, pictures, now, deliverHolding, users } = setUp(20_000_000);
    player.pictures.switchRung("high", 2_000_000, "sooner");
    const { length } = pictures;
    deliverHolding();
    run(20);
    expect(shown).toEqual(["high"]);
    // Those up to the place that is played are sent anew, one after the other, and playing goes on in step.
    const anew = pictures.slice(length);
    expect(anew.length).toBeGreaterThan(5);
    expect(Math.min(...anew.map((at, i) => at - (pictures[length + i - 1] ?? 0)))).toBeGreaterThan(0);
    run(2000);
    expect(player.playback(now()).state).toBe("playing");
    expect(Math.max(...pictures.slice(1).map((at, i) => at - (pictures[i] ?? 0)))).toBeLessThan(0.05);
    expect(shown).toEqual(["high"]);
    player.close();
    expect(users()).toBe(0);
  });

  it("that is wanted sooner waits for its next keyframe, however near, where the path is too narrow for that", () => {
    const { player, shown, answer, run, deliverHolding, requests, now } = setUp(100_000);
    player.pictures.switchRung("high", 2_000_000, "sooner");
    deliverHolding();
    const asked = requests.find(({ place }) => "keyAfter" in place)?.place;
    const place = asked !== undefined && "keyAfter" in asked ? asked.keyAfter : Number.NaN;
    expect(place - player.playback(now()).positionSeconds).toBeLessThan(0.05);
    run(50);
    expect(shown).toEqual([]);
    answer();
    run(1000);
    expect(shown).toEqual(["high"]);
  });

  it("that comes too late is asked for again, further on, and playing goes on meanwhile", () => {
    const { player, shown, asked, answer, run, requests } = setUp();
    player.pictures.switchRung("high", 2_000_000);
    const { ticket, rung } = asked();
    run(1000);
    const late = {
      ...fakeSegment({ id: "v0", start: 1, durationSeconds: DURATION_SECONDS, keyBytes: 2000 }),
    };
    player.deliver(0, ticket, { ...late, key: "high/1" }, rung);
    expect(player.playback(1500).state).toBe("playing");
    expect(requests.some(({ place }) => "keyAfter" in place && place.keyAfter > 1.6)).toBe(true);
    answer();
    run(1000);
    expect(shown).toEqual(["high"]);
  });

  it("is what a seek goes to while it is on its way", () => {
    const { player, requests, shown, run, now } = setUp();
    player.pictures.switchRung("high", 2_000_000);
    void player.seek(10.5, now());
    expect(requests.at(-1)?.place).toMatchObject({ at: 10.5, rung: "high" });
    run(500);
    expect(shown).toEqual(["high"]);
  });

  it("that cannot be had leaves the one that plays", () => {
    const { player, failed, shown, run } = setUp();
    player.pictures.switchRung("high", 2_000_000);
    player.pictures.refuseRung();
    run(1500);
    expect([failed, shown, player.pictures.rung]).toEqual([["high"], [], "low"]);
  });

  it("that is taken back leaves nothing behind", () => {
    const { player, answer, shown, run, users } = setUp();
    player.pictures.switchRung("high", 2_000_000);
    player.pictures.switchRung("low", 800_000);
    run(1500);
    expect(shown).toEqual([]);
    player.pictures.switchRung("high", 2_000_000);
    answer();
    player.close();
    expect(users()).toBe(0);
  });
});
