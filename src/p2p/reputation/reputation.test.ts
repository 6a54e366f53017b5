import { describe, expect, test } from "vitest";
import { EventBus, noMetrics, silentLogger, VirtualClock } from "../../core/index.ts";
import {
  BACKOFF_MAX_MS,
  BAN_MS,
  MAX_AFFINITY_PER_PEER,
  MAX_FAMILY_MEMBERS,
  MAX_KNOWN_PEERS,
  REPUTATION_HALF_LIFE_MS,
} from "../limits.ts";
import { peerMetrics } from "../metrics.ts";
import { Families } from "./families.ts";
import { Reputations } from "./reputation.ts";
import type { ReputationEvents } from "./types.ts";

/** A day that a wall clock may show. */
const NOW_MS = 1_800_000_000_000;

function rig(clock = new VirtualClock(NOW_MS)) {
  const events = new EventBus<ReputationEvents>(silentLogger);
  const banned: string[] = [];
  const reputation = new Reputations({
    events,
    metrics: peerMetrics(noMetrics),
    clock,
    log: silentLogger,
    onBan: peerId => banned.push(peerId),
  });
  return { reputation, clock, events, banned };
}

describe("reputation", () => {
  test("strangers are all alike; who serves well comes first, who fails last", () => {
    const { reputation } = rig();
    expect(reputation.rank(["a", "b"])).toEqual(["a", "b"]);
    expect(reputation.score("a")).toBeCloseTo(0.5, 5);
    reputation.note("b", { result: "ok", latencyMs: 10, bytes: 1e6, durationMs: 100 });
    reputation.note("c", { result: "failed" });
    expect(reputation.rank(["c", "a", "b"])).toEqual(["b", "a", "c"]);
  });

  test("lower latency and higher throughput count", () => {
    const { reputation } = rig();
    reputation.note("far", { result: "ok", latencyMs: 2000, bytes: 1e6, durationMs: 1000 });
    reputation.note("near", { result: "ok", latencyMs: 5, bytes: 1e6, durationMs: 1000 });
    reputation.note("fast", { result: "ok", latencyMs: 5, bytes: 1e8, durationMs: 1000 });
    expect(reputation.rank(["far", "near", "fast"])).toEqual(["fast", "near", "far"]);
  });

  test("to lack a block is no fault", () => {
    const { reputation } = rig();
    const before = reputation.score("a");
    for (let i = 0; i < 20; i++) reputation.note("a", { result: "lacks" });
    expect(reputation.score("a")).toBe(before);
    expect(reputation.waitMs("a")).toBe(0);
  });

  test("failures in a row back off, twice as long each time up to a bound, until it answers again", () => {
    const { reputation, clock } = rig();
    const waits = Array.from({ length: 12 }, () => {
      reputation.note("a", { result: "failed" });
      return reputation.waitMs("a");
    });
    expect(waits.slice(0, 4)).toEqual([1000, 2000, 4000, 8000]);
    expect(waits.at(-1)).toBe(BACKOFF_MAX_MS);
    expect(reputation.rank(["a", "b"])).toEqual(["b", "a"]);
    clock.advance(BACKOFF_MAX_MS);
    expect(reputation.waitMs("a")).toBe(0);
    reputation.note("a", { result: "ok" });
    reputation.note("a", { result: "failed" });
    expect(reputation.waitMs("a")).toBe(1000);
  });

  test("a bad block bans for a time, longer the next time, and is told", () => {
    const { reputation, clock, events, banned } = rig();
    const told: ReputationEvents["peer_banned"][] = [];
    events.on("peer_banned", ({ data }) => told.push(data));
    reputation.note("a", { result: "bad" });
    expect(reputation.isBanned("a")).toBe(true);
    expect(reputation.rank(["a", "b"])).toEqual(["b"]);
    expect(reputation.facts("a")).toMatchObject({ badBlocks: 1, bannedUntilMs: NOW_MS + BAN_MS });
    expect(told).toMatchObject([{ peerId: "a", untilMs: NOW_MS + BAN_MS }]);
    expect(banned).toEqual(["a"]);
    clock.advance(BAN_MS);
    expect(reputation.isBanned("a")).toBe(false);
    reputation.note("a", { result: "bad" });
    expect(reputation.waitMs("a")).toBe(2 * BAN_MS);
  });

  test("what was good or bad fades", () => {
    const { reputation, clock } = rig();
    for (let i = 0; i < 10; i++) reputation.note("good", { result: "ok" });
    const success = (): number => reputation.facts("good")?.success ?? 0;
    const fresh = success();
    clock.advance(REPUTATION_HALF_LIFE_MS);
    expect(success() - 0.5).toBeCloseTo((fresh - 0.5) / 2, 5);
    clock.advance(20 * REPUTATION_HALF_LIFE_MS);
    expect(success()).toBeCloseTo(0.5, 3);
  });

  test("who served a sibling of one directory, collection or manifest is asked first", () => {
    const { reputation } = rig();
    reputation.relate("directory", ["episode-1", "episode-2"]);
    reputation.note("quick", { result: "ok", latencyMs: 1, bytes: 1e6, durationMs: 10, about: "other" });
    reputation.note("sibling", { result: "ok", latencyMs: 50, about: "episode-1" });
    expect(reputation.rank(["quick", "sibling"])).toEqual(["quick", "sibling"]);
    expect(reputation.rank(["quick", "sibling"], "episode-2")).toEqual(["sibling", "quick"]);
    expect(reputation.rank(["quick", "sibling"], "directory")).toEqual(["sibling", "quick"]);
    expect(reputation.hasServed("sibling", "episode-2")).toBe(true);
    expect(reputation.hasServed("quick", "episode-2")).toBe(false);
    // Related only afterwards, when the block of the collection is read.
    reputation.relate("collection", ["other", "episode-9"]);
    expect(reputation.hasServed("quick", "episode-9")).toBe(true);
  });
});

describe("what others can fill is bounded", () => {
  test("peers: the longest unused is forgotten, never a ban for a stranger", () => {
    const { reputation } = rig();
    reputation.note("liar", { result: "bad" });
    reputation.note("old", { result: "ok" });
    for (let i = 0; i < MAX_KNOWN_PEERS; i++) reputation.note(`peer-${i}`, { result: "ok" });
    expect(reputation.size).toBe(MAX_KNOWN_PEERS);
    expect(reputation.isBanned("liar")).toBe(true);
    expect(reputation.facts("old")).toBeUndefined();
    expect(reputation.facts(`peer-${MAX_KNOWN_PEERS - 1}`)).toBeDefined();
  });

  test("what one peer has served: the latest are known", () => {
    const { reputation } = rig();
    for (let i = 0; i <= MAX_AFFINITY_PER_PEER; i++)
      reputation.note("a", { result: "ok", about: `cid-${i}` });
    expect(reputation.facts("a")?.served).toBe(MAX_AFFINITY_PER_PEER);
    expect(reputation.hasServed("a", "cid-0")).toBe(false);
    expect(reputation.hasServed("a", `cid-${MAX_AFFINITY_PER_PEER}`)).toBe(true);
  });

  test("what belongs together: the latest is known", () => {
    const families = new Families();
    for (let i = 0; i <= MAX_FAMILY_MEMBERS; i++) families.relate("parent", [`cid-${i}`]);
    expect(families.size).toBe(MAX_FAMILY_MEMBERS);
    expect(families.of("cid-0")).toEqual(["cid-0"]);
    for (let i = 0; i < 10; i++) families.relate(`parent-${i}`, ["cid-5"]);
    expect(families.of("cid-5")).toHaveLength(5);
  });
});
