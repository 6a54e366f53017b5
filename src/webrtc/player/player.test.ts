import { describe, expect, it } from "vitest";
import type { Segment } from "../../media/index.ts";
import { packetiseSegment } from "../rtp/packetise/index.ts";
import { fakeSegment } from "../testing/fake-media.ts";
import { KEYFRAME_INTERVAL_MS, Player } from "./player.ts";
import { AHEAD_SECONDS, type SegmentPlace } from "./track-queue.ts";

const TRACKS = ["v0", "a0"] as const;

interface Sent {
  readonly track: number;
  readonly streamSeconds: number;
  readonly marker: boolean;
}

/** A player whose segments come when the test says so. */
function setUp(
  init: { durationSeconds?: number; keyBytes?: number; startSeconds?: number; held?: boolean } = {},
) {
  const durationSeconds = init.durationSeconds ?? 4;
  let now = 1000;
  let users = 0;
  const sent: Sent[] = [];
  const states: string[] = [];
  const requests: { track: number; ticket: number; place: SegmentPlace }[] = [];
  const segmentOf = (track: number, place: SegmentPlace): Segment | undefined => {
    const start = "at" in place ? Math.floor(place.at) : Number(place.after.split("/")[1]) + 1;
    const id = TRACKS[track]!;
    return start < durationSeconds
      ? fakeSegment({ id, start, durationSeconds, keyBytes: init.keyBytes ?? 3000 })
      : undefined;
  };
  const player: Player = new Player({
    tracks: [
      { kind: "video", bitrateBps: 800_000 },
      { kind: "audio", bitrateBps: 64_000 },
    ],
    durationSeconds,
    startSeconds: init.startSeconds ?? 0,
    nowMs: now,
    request: (track, ticket, place) => requests.push({ track, ticket, place }),
    acquire: (track, segment) => {
      users++;
      return packetiseSegment(segment, track === 0 ? "h264" : "opus");
    },
    release: () => users--,
    send: (track, _payload, streamSeconds, marker) => sent.push({ track, streamSeconds, marker }),
    onChange: () => states.push(player.playback(now).state),
  });
  const deliver = (): void => {
    for (const { track, ticket, place } of requests.splice(0)) {
      player.deliver(track, ticket, segmentOf(track, place));
    }
  };
  const run = (ms: number, feed = true): void => {
    for (const end = now + ms; now < end; ) {
      now += 5;
      if (feed) deliver();
      player.tick(now);
    }
  };
  if (init.held !== true) deliver();
  return { player, sent, states, requests, deliver, run, now: () => now, users: () => users };
}

const pictures = (sent: readonly Sent[]): Sent[] =>
  sent.filter(packet => packet.track === 0 && packet.marker);

describe("playing", () => {
  it("sends each frame at its time, and ends", () => {
    const { player, sent, states, run, now, users } = setUp({ durationSeconds: 2 });
    run(100);
    expect(sent).toEqual([]);
    player.start(now());
    run(1000);
    expect(pictures(sent).length).toBeGreaterThanOrEqual(30);
    expect(pictures(sent).length).toBeLessThanOrEqual(31);
    expect(player.playback(now()).positionSeconds).toBeCloseTo(1, 1);
    run(1100);
    expect(pictures(sent)).toHaveLength(60);
    expect(sent.filter(packet => packet.track === 1)).toHaveLength(100);
    expect(states).toEqual(["buffering", "playing", "ended"]);
    expect(player.playback(now()).positionSeconds).toBe(2);
    expect(users()).toBe(0);
  });

  it("keeps sound and pictures of one time together in stream time", () => {
    const { player, sent, run, now } = setUp();
    player.start(now());
    run(2000);
    const video = pictures(sent).map(packet => packet.streamSeconds);
    const audio = sent.filter(packet => packet.track === 1).map(packet => packet.streamSeconds);
    // Frame 30 and sound packet 50 are both at 1 s of the media.
    expect(video[30]).toBeCloseTo(audio[50]!, 6);
  });

  it("asks for segments two seconds ahead, no more", () => {
    const { player, run, now } = setUp({ durationSeconds: 20 });
    player.start(now());
    run(3000);
    const ahead = player.bufferedSeconds(now());
    expect(ahead).toBeGreaterThanOrEqual(AHEAD_SECONDS - 0.1);
    expect(ahead).toBeLessThanOrEqual(AHEAD_SECONDS + 1);
  });

  it("stands still while a segment is late, and goes on from there without a jump", () => {
    const { player, sent, states, run, now } = setUp();
    player.start(now());
    run(1500, false);
    expect(player.playback(now())).toMatchObject({ state: "buffering" });
    const place = player.playback(now()).positionSeconds;
    expect(place).toBeCloseTo(1, 1);
    run(500);
    expect(player.playback(now()).state).toBe("playing");
    expect(states).toEqual(["buffering", "playing", "buffering", "playing"]);
    const times = pictures(sent).map(packet => packet.streamSeconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it("begins anew at the end when it loops, with stream time running on", () => {
    const { player, sent, states, run, now } = setUp({ durationSeconds: 1 });
    player.setLoop(true);
    player.start(now());
    run(3200);
    expect(pictures(sent).length).toBeGreaterThan(90);
    expect(states).not.toContain("ended");
    const times = pictures(sent).map(packet => packet.streamSeconds);
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThan(0.02);
  });

  it("paces a large keyframe and lets ordinary frames pass whole", () => {
    const { player, sent, run, now } = setUp({ keyBytes: 300_000 });
    player.start(now());
    const first = sent.length;
    expect(first).toBeLessThan(130);
    run(20);
    expect(sent.length).toBeLessThan(300_000 / 1180);
    run(1500);
    expect(pictures(sent).length).toBeGreaterThan(20);
  });
});

describe("control", () => {
  it("pauses and resumes at the same place", () => {
    const { player, sent, run, now } = setUp();
    player.start(now());
    run(500);
    player.pause(now());
    const { positionSeconds } = player.playback(now());
    const count = sent.length;
    run(1000);
    expect(sent.length).toBe(count);
    expect(player.playback(now())).toMatchObject({ state: "paused", positionSeconds });
    player.resume(now());
    run(100);
    expect(player.playback(now()).state).toBe("playing");
    expect(sent.length).toBeGreaterThan(count);
  });

  it("seeks to the keyframe before, says where that is, and keeps stream time rising", async () => {
    const { player, sent, run, now, deliver } = setUp();
    player.start(now());
    run(300);
    const before = sent.length;
    const landed = player.seek(2.7, now());
    run(10);
    await landed;
    deliver();
    expect(player.playback(now()).positionSeconds).toBeCloseTo(2, 1);
    run(200);
    const times = sent.map(packet => packet.streamSeconds);
    expect(Math.min(...times.slice(before))).toBeGreaterThan(Math.max(...times.slice(0, before)));
  });

  it("shows where it went when it seeks while paused", async () => {
    const { player, sent, run, now } = setUp();
    player.start(now());
    run(300);
    player.pause(now());
    const before = pictures(sent).length;
    const landed = player.seek(3, now());
    run(20);
    await landed;
    run(200);
    expect(pictures(sent).length).toBe(before + 1);
    expect(player.playback(now())).toMatchObject({ state: "paused", positionSeconds: 3 });
  });

  it("takes a seek beyond the end, and one after the end", async () => {
    const { player, run, now } = setUp({ durationSeconds: 1 });
    player.start(now());
    const beyond = player.seek(99, now());
    run(50);
    await beyond;
    expect(player.playback(now())).toMatchObject({ state: "ended", positionSeconds: 1 });
    const back = player.seek(0, now());
    run(50);
    await back;
    expect(player.playback(now()).state).toBe("playing");
  });

  it("steps back to the keyframe for a viewer that needs one, once per 300 ms", () => {
    const { player, sent, run, now } = setUp();
    player.start(now());
    run(500);
    player.requestKeyframe(now());
    run(10);
    expect(player.playback(now()).positionSeconds).toBeLessThan(0.1);
    const place = player.playback(now()).positionSeconds;
    player.requestKeyframe(now());
    run(KEYFRAME_INTERVAL_MS - 60);
    expect(player.playback(now()).positionSeconds).toBeGreaterThan(place + 0.2);
    const times = pictures(sent).map(packet => packet.streamSeconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it("gives everything back when it is closed in the middle", async () => {
    const { player, run, now, users } = setUp();
    player.start(now());
    run(300);
    const landed = player.seek(2, now());
    player.close();
    await landed;
    run(100);
    expect(users()).toBe(0);
    expect(player.playback(now()).state).toBe("closed");
  });
});
