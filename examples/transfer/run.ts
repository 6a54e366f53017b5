// Brings content from one node to another, by whatever way leads there and by each way alone.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CidcastClient, selectProtocol } from "@cidcast/client";
import { type ConfigInput, createNode } from "../../src/index.ts";

const directory = await mkdtemp(join(tmpdir(), "cidcast-transfer-"));
const settings = (name: string): ConfigInput => ({
  dataDir: join(directory, name),
  port: 0,
  sample: false,
  logLevel: "warn",
  webrtc: { enabled: false },
  p2p: { listen: ["/ip4/127.0.0.1/tcp/0"] },
});
async function* words(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
{
  await using from = await createNode(settings("from"));
  await using to = await createNode(settings("to"));
  const add = async (text: string): Promise<string> => (await from.content.add(words(text))).cid;
  const [peer = ""] = from.peer?.multiaddrs ?? [];
  const url = from.url ?? "";

  // Inside a node: from others to here. All ways are tried, and what one brought the next does not fetch again.
  const anyWay = await to.transfers.transferContent(await add("by any way"), [peer, url]);
  assert.equal(anyWay.ok, true);
  assert.equal((await to.transfers.transferViaLibp2p(await add("by libp2p"), peer)).transfer.rung, "libp2p");
  assert.equal(
    (await to.transfers.transferViaWebSocket(await add("by WebSocket"), url)).transfer.rung,
    "websocket",
  );
  assert.equal((await to.transfers.transferViaHttp(await add("by HTTP"), url)).transfer.rung, "http");

  // From a program, over the node's API: to another node, or with `direction: "pull"` from there.
  using client = new CidcastClient({ url });
  const pushed = await add("pushed");
  assert.deepEqual(await client.transferContent(pushed, to.url ?? ""), { ok: true, attempts: [] });
  assert.equal((await to.content.stat(pushed)).complete, true);
  using puller = new CidcastClient({ url: to.url ?? "" });
  const pulled = await add("pulled");
  assert.equal((await puller.transferContent(pulled, url, { direction: "pull" })).ok, true);
  assert.equal((await puller.transferViaLibp2p(await add("again"), peer, { direction: "pull" })).ok, true);
  assert.equal((await client.transferViaWebSocket(await add("over a socket"), to.url ?? "")).ok, true);
  assert.equal((await client.transferViaHttp(await add("over HTTP"), to.url ?? "")).ok, true);

  // What suits content best.
  assert.equal(selectProtocol("video/mp4", 10), "webrtc");
  assert.equal(selectProtocol("text/plain", 500, "high"), "websocket");
  assert.equal(selectProtocol("text/plain", 50_000_000), "libp2p");
  console.log("content went there by every way");
}
await rm(directory, { recursive: true, force: true });
