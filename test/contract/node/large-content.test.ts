import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { callPeer } from "../../../src/p2p/index.ts";
import { startPeer, type TestPeer } from "../../../src/p2p/test-support.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const BYTES = 12 * 1024 * 1024;
const PIECE_BYTES = 5_000_000;
let served: ServedNode;
let stranger: TestPeer;
beforeAll(async () => {
  served = await serveNode({ p2p: { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] } });
  stranger = await startPeer();
  await stranger.peer.connectToPeer(String(served.node.peer?.multiaddrs[0]));
});
afterAll(async () => {
  await stranger?.peer.stop();
  await served?.[Symbol.asyncDispose]();
});

test("a peer gets what is larger than a reply piece by piece, or is told where it is had", async () => {
  const bytes = randomBytes(BYTES);
  const { cid } = await served.node.content.add(Readable.from([bytes]), { name: "large" });
  const get = (range: { readonly offset?: number; readonly length?: number }) =>
    callPeer(stranger.peer, served.node.peer!.id, { action: "get_content", cid, ...range });
  const whole = await get({});
  const { id: peer_id } = served.node.peer!;
  const elsewhere = { content: null, protocol: "/ipfs-kit/content/1.0.0", peer_id };
  expect(whole).toMatchObject({ cid, size: BYTES, ...elsewhere });
  const pieces: Buffer[] = [];
  for (let offset = 0; offset < BYTES; offset += PIECE_BYTES) {
    const reply = await get({ offset, length: PIECE_BYTES });
    pieces.push(Buffer.from("content" in reply ? String(reply.content) : "", "base64"));
  }
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
});
