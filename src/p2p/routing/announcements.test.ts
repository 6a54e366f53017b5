import { MAX_ANNOUNCE_BYTES, PEER_ANNOUNCE_TOPICS } from "@cidcast/protocols/peer-announce";
import { describe, expect, test } from "vitest";
import { noMetrics, silentLogger, VirtualClock } from "../../core/index.ts";
import {
  ANNOUNCE_INTERVAL_MS,
  ANNOUNCE_LIFE_MS,
  MAX_ANNOUNCED_CIDS,
  MAX_ANNOUNCERS_PER_CID,
  MAX_CLOCK_SKEW_MS,
} from "../limits.ts";
import { peerMetrics } from "../metrics.ts";
import { Announcements } from "./announcements.ts";

const NOW_MS = 1_800_000_000_000;
const CONTENT = PEER_ANNOUNCE_TOPICS.content;

function rig(isRelay = false) {
  const clock = new VirtualClock(NOW_MS);
  const told: { readonly topic: string; readonly message: unknown }[] = [];
  const met: string[] = [];
  const announcements = new Announcements({
    pubsub: {
      subscribe: () => undefined,
      unsubscribe: () => undefined,
      publish: async (topic, data) => {
        told.push({ topic, message: JSON.parse(Buffer.from(data).toString()) });
      },
      addEventListener: () => undefined,
    },
    self: () => ({ peerId: "self", addresses: ["/ip4/192.0.2.1/tcp/1"] }),
    role: "worker",
    protocols: () => ["/p/1"],
    isRelay,
    onPeer: peerId => met.push(peerId),
    metrics: peerMetrics(noMetrics),
    clock,
    log: silentLogger,
  });
  const say = (topic: string, author: string, message: unknown): void =>
    announcements.hear(topic, author, Buffer.from(JSON.stringify(message)));
  const content = (cid: string, provider: string, timestamp = NOW_MS / 1000): object => ({
    cid,
    provider,
    timestamp,
    addrs: ["/ip4/192.0.2.2/tcp/2"],
  });
  return { announcements, clock, told, met, say, content };
}

describe("announcements", () => {
  test("say who is here, at the start and every few minutes, and that it is a relay", () => {
    const { announcements, clock, told } = rig(true);
    announcements.start();
    expect(told).toEqual([
      {
        topic: "ipfs-kit/discovery/cidcast",
        message: {
          peer_id: "self",
          addrs: ["/ip4/192.0.2.1/tcp/1"],
          protocols: ["/p/1"],
          role: "worker",
          timestamp: NOW_MS / 1000,
        },
      },
      {
        topic: "ipfs-kit/relay-announce",
        message: {
          peer_id: "self",
          addrs: ["/ip4/192.0.2.1/tcp/1"],
          timestamp: NOW_MS / 1000,
          capabilities: ["relay"],
          protocols: ["/p/1"],
        },
      },
    ]);
    clock.advance(ANNOUNCE_INTERVAL_MS);
    expect(told).toHaveLength(3);
    announcements.stop();
    clock.advance(10 * ANNOUNCE_INTERVAL_MS);
    expect(told).toHaveLength(3);
  });

  test("of content are remembered for a while", () => {
    const { announcements, clock, say, content } = rig();
    say(CONTENT, "a", content("cid", "a"));
    say(CONTENT, "b", content("cid", "b"));
    expect(announcements.providers("cid")).toEqual([
      { peerId: "b", addresses: ["/ip4/192.0.2.2/tcp/2"], origin: "announcement" },
      { peerId: "a", addresses: ["/ip4/192.0.2.2/tcp/2"], origin: "announcement" },
    ]);
    clock.advance(ANNOUNCE_LIFE_MS);
    expect(announcements.providers("cid")).toEqual([]);
  });

  test("count only of the peer that signed them, near this time, in form and size", () => {
    const { announcements, met, say, content } = rig();
    say(CONTENT, "liar", content("cid", "a"));
    say(CONTENT, "a", content("cid", "a", NOW_MS / 1000 - MAX_CLOCK_SKEW_MS / 1000 - 1));
    say(CONTENT, "a", { cid: "cid" });
    say(CONTENT, "a", { ...content("cid", "a"), name: "x".repeat(MAX_ANNOUNCE_BYTES) });
    say(CONTENT, "self", content("cid", "self"));
    announcements.hear(CONTENT, "a", Buffer.from("no JSON"));
    say(PEER_ANNOUNCE_TOPICS.relay, "liar", {
      peer_id: "a",
      addrs: [],
      timestamp: NOW_MS / 1000,
      capabilities: [],
    });
    expect(announcements.size).toBe(0);
    expect(met).toEqual([]);
    say("ipfs-kit/discovery/cidcast", "a", { peer_id: "a", addrs: [], timestamp: NOW_MS / 1000 });
    expect(met).toEqual(["a"]);
  });

  test("fill a bounded memory", () => {
    const { announcements, say, content } = rig();
    for (let i = 0; i <= MAX_ANNOUNCED_CIDS; i++) say(CONTENT, "a", content(`cid-${i}`, "a"));
    expect(announcements.size).toBe(MAX_ANNOUNCED_CIDS);
    expect(announcements.providers("cid-0")).toEqual([]);
    for (let i = 0; i <= MAX_ANNOUNCERS_PER_CID; i++) say(CONTENT, `p-${i}`, content("cid-5", `p-${i}`));
    expect(announcements.providers("cid-5")).toHaveLength(MAX_ANNOUNCERS_PER_CID);
  });
});
