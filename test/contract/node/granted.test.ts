import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../../src/config/index.ts";
import { callPeer } from "../../../src/p2p/index.ts";
import { startPeer, type TestPeer, until } from "../../../src/p2p/test-support.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
const TOKEN = "the-token-of-the-serving-node";

let granted: TestPeer;
let stranger: TestPeer;
let served: ServedNode;
let cid: string;

beforeAll(async () => {
  [granted, stranger] = [await startPeer(), await startPeer()];
  const p2p = { ...P2P, serve: "granted" as const, grantedPeers: [granted.peer.id] };
  served = await serveNode({ token: TOKEN, p2p });
  ({ cid } = await served.node.content.add(Readable.from([Buffer.from("for friends only")])));
  for (const { peer } of [granted, stranger]) {
    await peer.connectToPeer(served.node.peer?.multiaddrs[0] ?? "");
    await until(() => peer.hasPeers);
  }
});
afterAll(async () => {
  for (const { peer } of [granted, stranger]) await peer.stop();
  await served?.[Symbol.asyncDispose]();
});

const ask = ({ peer }: TestPeer, request: object) =>
  callPeer(peer, served.node.peer?.id ?? "", { action: "get_content", cid, ...request });

test("a node that serves granted peers only tells others that nothing is here", async () => {
  expect((await granted.peer.fetchBlock(cid)).byteLength).toBe(16);
  await expect(stranger.peer.fetchBlock(cid)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
  expect(await ask(granted, {})).toMatchObject({ success: true });
  await expect(ask(stranger, {})).rejects.toMatchObject({
    code: expect.stringMatching(/FORBIDDEN|NOT_FOUND/),
  });
  // A token opens what takes tokens.
  expect(await ask(stranger, { token: TOKEN })).toMatchObject({ success: true });
});

test("by the content protocol neither; such a node itself still asks everybody", async () => {
  await using other = await serveNode({ p2p: P2P });
  const from = [served.node.peer?.multiaddrs[0] ?? ""];
  const refused = await other.node.transfers.transferContent(cid, from, { via: "libp2p" });
  expect(refused.ok).toBe(false);
  const theirs = await other.node.content.add(Readable.from([Buffer.alloc(300_000, 3)]));
  const source = [other.node.peer?.multiaddrs[0] ?? ""];
  expect((await served.node.transfers.transferContent(theirs.cid, source, { via: "libp2p" })).ok).toBe(true);
  const more = await other.node.content.add(Readable.from([Buffer.from("by bitswap")]));
  expect((await served.node.content.block(more.cid)).byteLength).toBe(10);
});

test("who is granted later is served from then on", async () => {
  const { node } = served;
  const p2p = { ...node.config.p2p, grantedPeers: [granted.peer.id, stranger.peer.id] };
  node.reload(parseConfig({ ...node.config, p2p }));
  expect((await stranger.peer.fetchBlock(cid)).byteLength).toBe(16);
  node.reload(parseConfig({ ...node.config, p2p: { ...p2p, grantedPeers: [granted.peer.id] } }));
  const second = await node.content.add(Readable.from([Buffer.from("for friends again")]));
  await expect(stranger.peer.fetchBlock(second.cid)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
});
