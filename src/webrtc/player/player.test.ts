import { describe, expect, it } from "vitest";
import { pictures, playerSetUp as setUp } from "../testing/player-set-up.ts";
import { LEAD_IN_MAX_BYTES } from "./lead-in.ts";
import { KEYFRAME_INTERVAL_MS } from "./times.ts";
import { AHEAD_SECONDS } from "./track-queue.ts";

describe("a path that carries too little", () => {
  it("costs pictures up to the next keyframe, never sound, and ends with it", () => {
    let limit: number | undefined;
    const { player, sent, run, now } = setUp({ durationSeconds: 6, limitBps: () => limit });
    player.start(now());
    run(1000);
    expect(player.counts.skipped).toBe(0);
    limit = 20_000;
    sent.length = 0;
    run(2000);
    const sound = sent.filter(packet => packet.track === 1).length;
    expect(sound).toBeGreaterThanOrEqual(98);
    expect(pictures(sent).length).toBeLessThan(20);
    expect(player.counts.skipped).toBeGreaterThan(40);
    expect(player.playback(now()).positionSeconds).toBeCloseTo(3, 1);
    // A keyframe that is asked for now would only add to it.
    player.requestKeyframe(now());
    expect(player.playback(now()).state).toBe("playing");
    limit = undefined;
    run(1000);
    sent.length = 0;
    const { skipped } = player.counts;
    run(1000);
    expect(pictures(sent).length).toBeGreaterThanOrEqual(29);
    expect(player.counts.skipped).toBe(skipped);
  });
});

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

  it("says until when it has nothing to do: not a frame leaves before, and one does then", () => {
    const { player, sent, deliver, run, now } = setUp({ durationSeconds: 10 });
    expect(player.idleUntilMs(now())).toBe(now());
    player.start(now());
    run(500);
    const end = now() + 1000;
    let frames = 0;
    for (let at = now(); at < end; ) {
      const until = player.idleUntilMs(at);
      expect(until).toBeGreaterThan(at);
      const before = sent.length;
      player.tick(until - 0.01);
      expect(sent).toHaveLength(before);
      player.tick(until + 0.01);
      expect(sent.length).toBeGreaterThan(before);
      frames++;
      at = until + 0.01;
      deliver();
    }
    // 30 pictures and 50 pieces of sound, some at the same time.
    expect(frames).toBeGreaterThan(60);
    player.pause(end);
    expect(player.idleUntilMs(end)).toBe(Number.POSITIVE_INFINITY);
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

  it("seeks to the keyframe before where that will do, says where that is, and keeps stream time rising", async () => {
    const { player, sent, run, now, deliver } = setUp();
    player.start(now());
    run(300);
    const before = sent.length;
    const landed = player.seek(2.7, now(), false);
    run(10);
    await landed;
    deliver();
    expect(player.playback(now()).positionSeconds).toBeCloseTo(2, 1);
    expect(player.playback(now()).exact).toBe(false);
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

  it("seeks to the very picture: those before it leave first, quickly, and playing begins with it", async () => {
    const { player, sent, run, now } = setUp();
    player.start(now());
    run(300);
    const before = pictures(sent).length;
    const soundBefore = sent.filter(packet => packet.track === 1).length;
    const landed = player.seek(2.71, now());
    run(100);
    await landed;
    const { positionSeconds, exact } = player.playback(now());
    expect(exact).toBe(true);
    expect(positionSeconds).toBeGreaterThanOrEqual(2.71);
    expect(positionSeconds).toBeLessThan(2.8);
    run(600 - Math.round((positionSeconds - 2.71) * 1000));
    // Pictures 60 to 80 only decoded, and 81 (2.7 s) to 99 played.
    const shown = pictures(sent).slice(before);
    expect(Math.abs(shown.length - 40)).toBeLessThanOrEqual(1);
    const times = shown.map(packet => packet.streamSeconds);
    for (let i = 1; i < times.length; i++) expect(times[i]).toBeGreaterThan(times[i - 1]!);
    expect(times[20]! - times[0]!).toBeLessThan(0.08);
    expect(times[30]! - times[22]!).toBeCloseTo(8 / 30, 3);
    // Sound begins with the picture asked for: none of the lead-in's.
    const sound = sent.filter(packet => packet.track === 1).slice(soundBefore);
    expect(sound[0]!.streamSeconds).toBeGreaterThan(times[20]! - 0.03);
  });

  it("gives a lead-in up where it costs too much, and says what is shown", async () => {
    const { player, run, now } = setUp({ keyBytes: LEAD_IN_MAX_BYTES + 1 });
    player.start(now());
    run(3000);
    const landed = player.seek(2.7, now());
    run(3000);
    await landed;
    expect(player.playback(now()).exact).toBe(false);
  });

  it("shows the picture asked for while paused, and steps on and back from there", async () => {
    const { player, sent, run, now } = setUp();
    player.start(now());
    run(300);
    player.pause(now());
    const landed = player.seek(2.5, now());
    run(100);
    await landed;
    expect(player.playback(now())).toMatchObject({ state: "paused", positionSeconds: 2.5, exact: true });
    const count = pictures(sent).length;
    await player.step(1, now());
    expect(pictures(sent).length).toBe(count + 1);
    expect(player.playback(now()).positionSeconds).toBeCloseTo(2 + 16 / 30, 6);
    for (const frame of [15, 14]) {
      const back = player.step(-1, now());
      run(100);
      await back;
      expect(player.playback(now()).state).toBe("paused");
      expect(player.playback(now()).positionSeconds).toBeCloseTo(2 + frame / 30, 6);
    }
    player.resume(now());
    run(100);
    expect(player.playback(now()).positionSeconds).toBeCloseTo(2 + 14 / 30 + 0.1, 1);
  });

  it("pauses for a step, and has none to make where there are no pictures", async () => {
    const { player, run, now } = setUp();
    player.start(now());
    run(300);
    await player.step(1, now());
    expect(player.playback(now()).state).toBe("paused");
    const deaf = setUp({ kinds: ["audio"] });
    await expect(deaf.player.step(1, deaf.now())).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it.each([0.5, 2])("plays at rate %d, and asks for sound made for that", rate => {
    const { player, sent, requests, run, now } = setUp({ durationSeconds: 20 });
    player.start(now());
    run(1000);
    const before = pictures(sent).length;
    player.setRate(rate, now());
    expect(requests.at(-1)).toMatchObject({ track: 1, place: { tempo: rate } });
    run(1000);
    // Up to two sound frames are out already: the clock waits for their end.
    expect(Math.abs(pictures(sent).length - before - 30 * rate)).toBeLessThanOrEqual(3);
    expect(player.playback(now())).toMatchObject({ state: "playing", rate, soundMuted: false });
    expect(player.playback(now()).positionSeconds).toBeGreaterThan(0.9 + rate * 0.95);
  });

  it("lets pictures go on while the sound of a new rate is late, and joins it where they are", () => {
    const { player, sent, states, run, now, requests } = setUp({ durationSeconds: 20 });
    player.start(now());
    run(1000);
    player.setRate(1.5, now());
    const late = requests.splice(0);
    run(500);
    expect(states).toEqual(["buffering", "playing", "playing"]);
    expect(player.playback(now()).state).toBe("playing");
    const sound = sent.filter(packet => packet.track === 1).length;
    requests.push(...late);
    run(300);
    const joined = sent.filter(packet => packet.track === 1).slice(sound);
    expect(joined.length).toBeGreaterThan(10);
    expect(joined[0]!.streamSeconds).toBeGreaterThan(1.4);
  });

  it("is silent at 4, without sound that cannot be had, and heard again at 1", () => {
    const { player, sent, requests, run, now } = setUp({ durationSeconds: 20 });
    player.start(now());
    run(500);
    const heard = (): number => sent.filter(packet => packet.track === 1).length;
    player.setRate(4, now());
    const count = heard();
    run(1000);
    expect(heard()).toBe(count);
    expect(player.playback(now())).toMatchObject({ state: "playing", soundMuted: true });
    player.setRate(1.5, now());
    const { track, ticket } = requests.pop()!;
    player.silence(track, ticket);
    run(500);
    expect(heard()).toBe(count);
    expect(player.playback(now())).toMatchObject({ state: "playing", soundMuted: true });
    player.setRate(1, now());
    run(500);
    expect(heard()).toBeGreaterThan(count + 15);
    expect(player.playback(now())).toMatchObject({ state: "playing", soundMuted: false });
  });

  it("ends by the clock where nothing is heard or seen", () => {
    const { player, run, now } = setUp({ durationSeconds: 2, kinds: ["audio"] });
    player.start(now());
    player.setRate(4, now());
    run(700);
    expect(player.playback(now())).toMatchObject({ state: "ended", positionSeconds: 2 });
  });

  it("repeats a part, to the picture", () => {
    const { player, sent, run, now } = setUp({ durationSeconds: 10 });
    player.start(now());
    player.setLoop(true, { startSeconds: 1.5, endSeconds: 2.5 });
    run(2500);
    const places: number[] = [];
    for (let i = 0; i < 60; i++) {
      run(50);
      places.push(player.playback(now()).positionSeconds);
    }
    expect(Math.min(...places)).toBeGreaterThanOrEqual(1.5);
    expect(Math.max(...places)).toBeLessThan(2.56);
    expect(places.filter(place => place < 1.7).length).toBeGreaterThan(5);
    const times = pictures(sent).map(packet => packet.streamSeconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(() => player.setLoop(true, { startSeconds: 10, endSeconds: 11 })).toThrow("past the end");
    player.setLoop(false);
    run(2000);
    expect(player.playback(now()).positionSeconds).toBeGreaterThan(2.6);
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
