import { describe, expect, it } from "vitest";
import { pictures, playerSetUp as setUp } from "../testing/player-set-up.ts";

describe("tracks that come and go", () => {
  const VIDEO = { kind: "video", bitrateBps: 800_000 } as const;

  it("lets a second video come in, decodable, at the place where the first is", () => {
    const { player, sent, run, now, requests } = setUp({ kinds: ["video", "audio", "video"], only: 2 });
    player.start(now());
    run(1500);
    player.addTrack(VIDEO, 4, now());
    expect(requests).toEqual([{ track: 2, ticket: 1, place: { at: expect.closeTo(1.5, 1) } }]);
    const from = now();
    run(60);
    // From the keyframe of 1 s up to 1.5 s at once, and then each picture at its time.
    const led = pictures(sent, 2).length;
    expect(led).toBeGreaterThanOrEqual(15);
    expect(player.playback(now()).state).toBe("playing");
    run(500);
    const times = (track: number): number[] =>
      sent
        .filter(
          packet => packet.track === track && packet.marker && packet.streamSeconds > (from - 900) / 1000,
        )
        .map(packet => Math.round(packet.streamSeconds * 1000));
    expect(times(2).slice(-5)).toEqual(times(0).slice(-5));
  });

  it("waits for a track that comes in with none of the others", () => {
    const { player, sent, run, now } = setUp({ kinds: ["video", "audio", "video"], only: 2 });
    player.start(now());
    run(500);
    player.addTrack(VIDEO, 4, now());
    sent.length = 0;
    run(500, false);
    expect(sent.filter(packet => packet.track === 2)).toEqual([]);
    expect(pictures(sent).length).toBeGreaterThan(10);
  });

  it("shows a video that comes in while paused", () => {
    const { player, sent, run, now } = setUp({ kinds: ["video", "audio", "video"], only: 2 });
    player.start(now());
    run(700);
    player.pause(now());
    player.addTrack(VIDEO, 4, now());
    run(200);
    const shown = pictures(sent, 2).length;
    expect(shown).toBeGreaterThanOrEqual(21);
    run(200);
    expect(pictures(sent, 2)).toHaveLength(shown);
  });

  it("asks for nothing and sends nothing of a track that is off, also after a seek", () => {
    const { player, sent, run, now, requests, deliver } = setUp();
    player.start(now());
    run(500);
    player.setEnabled(0, false, now());
    deliver();
    sent.length = 0;
    run(1000);
    void player.seek(2.5, now());
    expect(requests.map(({ track }) => track)).toEqual([1]);
    run(500);
    expect(pictures(sent)).toEqual([]);
    expect(sent.length).toBeGreaterThan(60);
    player.setEnabled(0, true, now());
    run(100);
    expect(pictures(sent).length).toBeGreaterThan(2);
    expect(player.playback(now())).toMatchObject({ state: "playing", soundMuted: false });
  });

  it("goes on with sound from elsewhere at the place where pictures are", () => {
    const { player, sent, run, now, requests } = setUp();
    player.start(now());
    run(1200);
    player.renew(1, now());
    expect(requests).toEqual([
      { track: 1, ticket: expect.any(Number), place: { at: expect.closeTo(1.2, 1) } },
    ]);
    sent.length = 0;
    run(200);
    expect(sent.filter(packet => packet.track === 1).length).toBeGreaterThanOrEqual(9);
    expect(pictures(sent).length).toBeGreaterThanOrEqual(5);
  });

  it("seeks in all videos, each from its keyframe", async () => {
    const { player, sent, run, now } = setUp({ kinds: ["video", "video"] });
    player.start(now());
    run(300);
    sent.length = 0;
    const sought = player.seek(2.5, now());
    run(500);
    await sought;
    const count = (track: number): number => pictures(sent, track).length;
    expect(count(0)).toBeGreaterThan(20);
    expect(Math.abs(count(0) - count(1))).toBeLessThanOrEqual(1);
  });
});
