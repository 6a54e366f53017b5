import type { Segment } from "../../media/index.ts";
import { Player } from "../player/player.ts";
import type { SegmentPlace } from "../player/track-queue.ts";
import { packetiseSegment } from "../rtp/packetise/index.ts";
import { fakeSegment } from "./fake-media.ts";

/** A packet that a player sent. */
export interface Sent {
  readonly track: number;
  readonly streamSeconds: number;
  readonly marker: boolean;
}

/** A player whose segments come when the test says so. */
export function playerSetUp(
  init: {
    durationSeconds?: number;
    keyBytes?: number;
    startSeconds?: number;
    held?: boolean;
    kinds?: readonly ("video" | "audio")[];
    /** How many of the kinds are there from the start. */
    only?: number;
    frameBytes?: number;
    /** What the pictures are said to take on average. */
    bitrateBps?: number;
    estimateBps?: number;
    limitBps?: (nowMs: number) => number | undefined;
  } = {},
) {
  const durationSeconds = init.durationSeconds ?? 4;
  const kinds = init.kinds ?? ["video", "audio"];
  let now = 1000;
  let users = 0;
  const sent: Sent[] = [];
  const states: string[] = [];
  const requests: { track: number; ticket: number; place: SegmentPlace }[] = [];
  const segmentOf = (track: number, place: SegmentPlace): Segment | undefined => {
    if (!("at" in place || "after" in place)) throw new Error("there are no rungs");
    const start = "at" in place ? Math.floor(place.at) : Number(place.after.split("/")[1]) + 1;
    const id = kinds[track] === "video" ? "v0" : "a0";
    return start < durationSeconds
      ? fakeSegment({
          id,
          start,
          durationSeconds,
          keyBytes: init.keyBytes ?? 3000,
          frameBytes: init.frameBytes,
        })
      : undefined;
  };
  const player: Player = new Player({
    tracks: kinds
      .slice(0, init.only)
      .map(kind => ({ kind, bitrateBps: kind === "video" ? (init.bitrateBps ?? 800_000) : 64_000 })),
    durationSeconds,
    startSeconds: init.startSeconds ?? 0,
    nowMs: now,
    request: (track, ticket, place) => requests.push({ track, ticket, place }),
    acquire: (track, segment) => {
      users++;
      return packetiseSegment(segment, kinds[track] === "video" ? "h264" : "opus");
    },
    release: () => users--,
    send: (track, _payload, streamSeconds, marker) => sent.push({ track, streamSeconds, marker }),
    path: nowMs => ({ estimateBps: init.estimateBps, limitBps: init.limitBps?.(nowMs) }),
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

/** The last packets of the pictures of a track. */
export function pictures(sent: readonly Sent[], track = 0): Sent[] {
  return sent.filter(packet => packet.track === track && packet.marker);
}
