import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, type TestContext, test, vi } from "vitest";
import { startPeer, type TestPeer, until } from "../../../src/p2p/test-support.ts";
import { type Kubo, startKubo } from "./kubo.ts";

vi.setConfig({ testTimeout: 120_000 });

/** A Kubo that is a server of the local network's DHT, and provides. */
const WITH_DHT = [
  ["Routing.Type", '"dhtserver"'],
  ["Provide.Enabled", "true"],
  ["Provide.DHT.Interval", '"1h"'],
] as const;

let started: Awaited<ReturnType<typeof startKubo>>;
let ours: TestPeer;

beforeAll(async () => {
  started = await startKubo(WITH_DHT);
  if ("missing" in started) return;
  ours = await startPeer({ network: { dht: "lan" }, connect: [addressOf(started)] });
  await until(() => ours.peer.connections().length > 0);
}, 1_200_000);

afterAll(async () => {
  await ours?.[Symbol.asyncDispose]();
  if ("ipfs" in started) await started[Symbol.asyncDispose]();
});

const addressOf = ({ addresses }: Kubo): string => addresses.find(address => !address.includes("/ws")) ?? "";

function needKubo(context: TestContext): Kubo {
  if ("missing" in started) return context.skip(started.missing);
  return started;
}

async function firstProvider(cid: string): Promise<string | undefined> {
  for await (const { peerId } of ours.peer.routing.findProviders(cid)) return peerId;
  return undefined;
}

test("what Kubo provides is found in the DHT, and comes", async context => {
  const kubo = needKubo(context);
  const bytes = randomBytes(20_000);
  const cid = (await kubo.ipfs(["add", "-Q", "--cid-version=1"], bytes)).toString().trim();
  await kubo.ipfs(["routing", "provide", cid]);
  expect(await firstProvider(cid)).toBe(kubo.peerId);
  expect(Buffer.compare(await ours.peer.fetchBlock(cid), bytes)).toBe(0);
});

test("what we provide is found by Kubo, which reads it by its CID alone", async context => {
  const kubo = needKubo(context);
  const bytes = randomBytes(20_000);
  const cid = ours.blocks.add(bytes);
  const { provided } = ours.peer.routing.provideStatus;
  while (ours.peer.routing.provideStatus.provided === provided) {
    ours.peer.routing.provide(cid);
    await until(() => ours.peer.routing.provideStatus.waiting <= 1);
  }
  const found = await kubo.ipfs(["routing", "findprovs", "--num-providers=1", cid]);
  expect(found.toString().trim()).toBe(ours.peer.id);
  await kubo.ipfs(["swarm", "disconnect", `/p2p/${ours.peer.id}`]);
  expect(Buffer.compare(await kubo.ipfs(["cat", cid]), bytes)).toBe(0);
});

test("Kubo finds where we are, and we where it is", async context => {
  const kubo = needKubo(context);
  const found = (await kubo.ipfs(["routing", "findpeer", ours.peer.id])).toString();
  expect(found).toContain(ours.address.replace(/\/p2p\/.*/, ""));
  expect(await ours.peer.routing.findPeer(kubo.peerId)).not.toEqual([]);
});
