import * as dagPb from "@ipld/dag-pb";
import { CID } from "multiformats/cid";
import { describe, expect, test } from "vitest";
import { EventBus, noMetrics, silentLogger, VirtualClock } from "../../core/index.ts";
import { DEFAULT_PEER_LIMITS, EXPECTED_PEER_MS, FETCH_FANOUT } from "../limits.ts";
import { peerMetrics } from "../metrics.ts";
import { MemoryBlocks, rawCid, until } from "../test-support.ts";
import { BlockFetcher } from "./block-fetcher.ts";
import type { BlockExchange } from "./exchange.ts";
import { Reputations } from "../reputation/index.ts";

/** Peers that answer when the test says so. */
class ScriptedExchange implements BlockExchange {
  readonly asked: { peerId: string; cid: string; give: (bytes: Uint8Array) => void; lack: () => void }[] = [];
  names: string[] = [];

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async announce(): Promise<void> {}

  peers(): readonly string[] {
    return this.names;
  }

  hasPeer(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => signal.addEventListener("abort", () => resolve()));
  }

  ask(peerId: string, cid: CID): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.asked.push({
      peerId,
      cid: cid.toString(),
      give: resolve,
      lack: () => reject(new Error("lacks it")),
    });
    return promise;
  }
}

const bytes = Buffer.from("a block");
const cid = rawCid(bytes);

function fetcherWith(names: string[], expectsPeers = false) {
  const exchange = new ScriptedExchange();
  exchange.names = names;
  const clock = new VirtualClock();
  const blocks = new MemoryBlocks();
  const metrics = peerMetrics(noMetrics);
  const reputation = new Reputations({
    events: new EventBus(silentLogger),
    metrics,
    clock,
    log: silentLogger,
  });
  const fetcher = new BlockFetcher(DEFAULT_PEER_LIMITS, {
    exchange,
    reputation,
    blocks,
    clock,
    expectsPeers: () => expectsPeers,
    metrics,
    log: silentLogger,
  });
  return { exchange, clock, blocks, fetcher, reputation };
}

describe("fetching a block", () => {
  test("asks a few peers at once, the next when one lacks it", async () => {
    const { exchange, fetcher } = fetcherWith(["a", "b", "c", "d", "e"]);
    const fetching = fetcher.fetch(cid);
    await until(() => exchange.asked.length === FETCH_FANOUT);
    exchange.asked[0]?.lack();
    await until(() => exchange.asked.length === FETCH_FANOUT + 1);
    exchange.asked[3]?.give(bytes);
    expect(await fetching).toEqual(bytes);
    expect(exchange.asked.map(ask => ask.peerId)).toEqual(["a", "b", "c", "d"]);
  });

  test("passes over bytes that are not the block", async () => {
    const { exchange, fetcher } = fetcherWith(["a", "b"]);
    const fetching = fetcher.fetch(cid);
    await until(() => exchange.asked.length === 2);
    exchange.asked[0]?.give(Buffer.from("another"));
    exchange.asked[1]?.give(bytes);
    expect(await fetching).toEqual(bytes);
  });

  test("passes over blocks beyond the largest", async () => {
    const { exchange, fetcher } = fetcherWith(["a", "b"]);
    const huge = new Uint8Array(2 * 1024 * 1024 + 1);
    const refused = fetcher.fetch(rawCid(huge));
    await until(() => exchange.asked.length === 2);
    exchange.asked[0]?.give(huge);
    exchange.asked[1]?.lack();
    await expect(refused).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
  });

  test("asks the peer that served the root alone, the others only when it takes long", async () => {
    const { exchange, fetcher, clock } = fetcherWith(["a", "b", "c"]);
    const first = fetcher.fetch(cid, { root: "root" });
    await until(() => exchange.asked.length === 3);
    exchange.asked[1]?.give(bytes);
    await first;
    const sibling = Buffer.from("a sibling");
    const second = fetcher.fetch(rawCid(sibling), { root: "root" });
    await until(() => exchange.asked.length === 4);
    expect(exchange.asked[3]?.peerId).toBe("b");
    clock.advance(DEFAULT_PEER_LIMITS.hedgeMs - 1);
    expect(exchange.asked).toHaveLength(4);
    clock.advance(1);
    await until(() => exchange.asked.length === 6);
    exchange.asked[5]?.give(sibling);
    expect(await second).toEqual(sibling);
  });

  test("is done once for all who ask at the same time", async () => {
    const { exchange, fetcher } = fetcherWith(["a"]);
    const both = [fetcher.fetch(cid), fetcher.fetch(cid)];
    await until(() => exchange.asked.length === 1);
    exchange.asked[0]?.give(bytes);
    expect(await Promise.all(both)).toEqual([bytes, bytes]);
    expect(exchange.asked).toHaveLength(1);
  });

  test("waits a moment for a peer that is just connecting, not for ever", async () => {
    const { exchange, fetcher, clock } = fetcherWith([], true);
    const fetching = fetcher.fetch(cid).catch((error: unknown) => error);
    await new Promise(resolve => setImmediate(resolve));
    clock.advance(EXPECTED_PEER_MS);
    expect(await fetching).toMatchObject({ code: "CONTENT_NOT_FOUND" });
    expect(exchange.asked).toEqual([]);
  });
});

describe("what peers do is remembered", () => {
  test("a wrong block bans its sender, a silent peer backs off, one that lacks the block does not", async () => {
    const { exchange, fetcher, clock, reputation } = fetcherWith(["liar", "silent", "without"]);
    const fetching = fetcher.fetch(cid).catch((error: unknown) => error);
    await until(() => exchange.asked.length === 3);
    exchange.asked[0]?.give(Buffer.from("another"));
    exchange.asked[2]?.lack();
    await until(() => reputation.isBanned("liar") && reputation.facts("without") !== undefined);
    fetcher.stop();
    await fetching;
    expect(reputation.facts("silent")).toBeUndefined();
    expect(reputation.waitMs("without")).toBe(0);
    expect(reputation.rank(exchange.names)).not.toContain("liar");
    expect(clock.now()).toBe(0);
  });

  test("who served a directory is asked first for what is in it, alone", async () => {
    const { exchange, fetcher } = fetcherWith(["a", "b", "c"]);
    const inside = Buffer.from("a file of the directory");
    const directory = dagPb.encode({
      Data: new Uint8Array([0x08, 1]),
      Links: [{ Name: "file", Hash: CID.parse(rawCid(inside)), Tsize: inside.byteLength }],
    });
    const directoryCid = CID.createV1(dagPb.code, CID.parse(rawCid(directory)).multihash).toString();
    const listing = fetcher.fetch(directoryCid);
    await until(() => exchange.asked.length === 3);
    exchange.asked[2]?.give(directory);
    await listing;
    // By its own CID, as a link leads to it: nothing but the directory says what it belongs to.
    const reading = fetcher.fetch(rawCid(inside));
    await until(() => exchange.asked.length === 4);
    expect(exchange.asked[3]?.peerId).toBe("c");
    exchange.asked[3]?.give(inside);
    expect(await reading).toEqual(inside);
  });
});
