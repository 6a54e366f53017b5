import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CidcastClient, type RtcConfiguration } from "@cidcast/client";
import { CID } from "multiformats/cid";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseConfig } from "../../../src/config/index.ts";
import type { ContentService } from "../../../src/content/index.ts";
import { callPeer } from "../../../src/p2p/index.ts";
import { startPeer, until } from "../../../src/p2p/test-support.ts";
import { serveNode, type ServedNode } from "./serve-node.ts";

const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
const createPeerConnection = (configuration: RtcConfiguration) =>
  new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } });
const BLOCKED = expect.objectContaining({ code: "CONTENT_BLOCKED" });

vi.setConfig({ testTimeout: 60_000 });

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cidcast-denylist-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const bytes = async function* (text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
};

/** A node with a denylist that is empty, and content that can be put on it. */
async function rig(name: string) {
  const stack = new AsyncDisposableStack();
  const file = join(directory, name);
  await writeFile(file, "");
  const settings = { p2p: P2P, content: { denylists: [file] } };
  const served = stack.use(await serveNode(settings));
  const { node } = served;
  const { cid } = await node.content.add(bytes("words that nobody may read"), { name: "a.txt" });
  const { cid: other } = await node.content.add(bytes("words that anybody may read"), { name: "b.txt" });
  const block = async (rule: string): Promise<void> => {
    await appendFile(file, `${rule}\n`);
    node.reload(parseConfig(node.config));
  };
  return { served, node, cid, other, block, file, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function codeOf(served: ServedNode, path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`${served.url}${path}`, init);
  const text = await response.text();
  return response.ok ? response.status : [response.status, JSON.parse(text).error.code];
}

describe("what is on a denylist", () => {
  test("is refused at the gateway in every form, whatever a client has already", async () => {
    await using r = await rig("gateway.deny");
    const first = await fetch(`${r.served.url}/ipfs/${r.cid}`);
    expect(first.status).toBe(200);
    const etag = first.headers.get("etag") ?? "";
    await r.block(`/ipfs/${r.cid}`);
    const refused = [410, "CONTENT_BLOCKED"];
    expect(await codeOf(r.served, `/ipfs/${r.cid}`)).toEqual(refused);
    expect(await codeOf(r.served, `/ipfs/${r.cid}`, { headers: { "if-none-match": etag } })).toEqual(refused);
    expect(await codeOf(r.served, `/ipfs/${r.cid}?format=raw`)).toEqual(refused);
    expect(await codeOf(r.served, `/ipfs/${r.cid}?format=car`)).toEqual(refused);
    expect(
      await codeOf(r.served, `/ipfs/${r.cid}?format=raw`, { headers: { "if-none-match": `"${r.cid}.raw"` } }),
    ).toEqual(refused);
    expect((await fetch(`${r.served.url}/ipfs/${r.cid}`, { method: "HEAD" })).status).toBe(410);
    expect(await codeOf(r.served, `/api/v0/stream?path=${r.cid}`)).toEqual(refused);
    expect(await codeOf(r.served, `/ipfs/${r.other}`)).toBe(200);
    expect(await (await fetch(`${r.served.url}/metrics`)).text()).toMatch(
      /cidcast_content_blocked_total [1-9]/,
    );
  });

  test("is not served or taken over bitswap, the content protocol and remote calls", async () => {
    await using r = await rig("peers.deny");
    await using asker = await startPeer();
    await asker.peer.connectToPeer(r.node.peer?.multiaddrs[0] ?? "");
    await until(() => asker.peer.hasPeers && r.node.peer?.hasPeers === true);
    await r.block(`/ipfs/${r.cid}`);
    await expect(asker.peer.fetchBlock(r.cid)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    expect((await asker.peer.fetchBlock(r.other)).byteLength).toBeGreaterThan(0);
    const request = { action: "get_content", cid: r.cid } as const;
    await expect(callPeer(asker.peer, r.node.peer?.id ?? "", request)).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
    // What others have is not asked for.
    const elsewhere = asker.blocks.add(Buffer.from("words of somebody else"));
    await r.block(`/ipfs/${elsewhere}`);
    await expect(r.node.content.block(elsewhere)).rejects.toThrow(BLOCKED);
    expect(asker.blocks.reads).not.toContain(elsewhere);
    // A peer's transfer of it brings nothing, and one from here does not begin.
    await using second = await serveNode({ p2p: P2P });
    const from = [r.node.peer?.multiaddrs[0] ?? "", r.served.url];
    const result = await second.node.transfers.transferContent(r.cid, from, { via: "libp2p" });
    expect(result.ok).toBe(false);
    await expect(r.node.transfers.begin({ cid: r.cid, from: [second.url] })).rejects.toThrow(BLOCKED);
  });

  test("is neither added, pinned nor imported; what is pinned can still be let go", async () => {
    await using r = await rig("pins.deny");
    await r.block(`/ipfs/${r.cid}`);
    const { content } = r.node;
    await expect(content.pin(r.cid, { name: "again" })).rejects.toThrow(BLOCKED);
    await expect(content.add(bytes("words that nobody may read"))).rejects.toThrow(BLOCKED);
    const block = { cid: CID.parse(r.cid), bytes: Buffer.from("words that nobody may read") };
    await expect((content as ContentService).blocks.put(block.cid, block.bytes)).rejects.toThrow(BLOCKED);
    // A collection goes on over it, and takes it once nothing needs it.
    await content.gc();
    await content.unpin(r.cid);
    expect((await content.gc()).removedBlocks).toBe(1);
  });

  test("is refused at a path of a directory, and below its own CID", async () => {
    await using r = await rig("paths.deny");
    const entries = async function* () {
      yield { path: "a/secret.txt", content: bytes("one") };
      yield { path: "a/open.txt", content: bytes("two") };
    };
    const { cid } = await r.node.content.addDirectory(entries());
    await r.block(`/ipfs/${cid}/a/secret*`);
    expect(await codeOf(r.served, `/ipfs/${cid}/a/secret.txt`)).toEqual([410, "CONTENT_BLOCKED"]);
    expect(await codeOf(r.served, `/ipfs/${cid}/a/open.txt`)).toBe(200);
    const { cid: inner } = await r.node.content.resolve(`${cid}/a`);
    await r.block(`/ipfs/${inner}/open.txt`);
    expect(await codeOf(r.served, `/ipfs/${cid}/a/open.txt`)).toEqual([410, "CONTENT_BLOCKED"]);
  });

  test("does not play, and ends for who watches it when it comes onto the list", async () => {
    const file = join(directory, "playing.deny");
    await writeFile(file, "");
    await using served = await serveNode({
      sample: true,
      webrtc: { enabled: true },
      content: { denylists: [file] },
    });
    const { node } = served;
    const cid = node.sampleCid ?? "";
    using client = new CidcastClient({ url: served.url });
    using _watching = await client.streamContent(cid, { createPeerConnection });
    expect(node.webrtc?.sessions()).toHaveLength(1);
    const closed = new Promise<string>(resolve => {
      node.events.on("webrtc_connection_closed", ({ data }) => resolve(data.reason));
    });
    await appendFile(file, `/ipfs/${cid}\n`);
    node.reload(parseConfig(node.config));
    expect(await closed).toContain("denylist");
    await expect(client.streamContent(cid, { createPeerConnection })).rejects.toMatchObject({
      code: "CONTENT_BLOCKED",
    });
  });
});

describe("the lists of a node", () => {
  test("come from an address, are kept for the next start, and stay in force when it is gone", async () => {
    const { promise: cid, resolve: found } = Promise.withResolvers<string>();
    let asked = 0;
    const server = createServer((_request, response) => {
      asked++;
      void cid.then(blocked => response.end(`/ipfs/${blocked}\n`));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    // Listening on a port of loopback.
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.deny`;
    await using plain = await serveNode();
    found((await plain.node.content.add(bytes("words"))).cid);
    const dataDir = await mkdtemp(join(directory, "data-"));
    const settings = { content: { denylists: [url] } };
    {
      await using served = await serveNode({ ...settings, dataDir });
      expect(await codeOf(served, `/ipfs/${await cid}`)).toEqual([410, "CONTENT_BLOCKED"]);
    }
    expect(asked).toBe(1);
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
    await using again = await serveNode({ ...settings, dataDir });
    expect(await codeOf(again, `/ipfs/${await cid}`)).toEqual([410, "CONTENT_BLOCKED"]);
    // Without a copy there is no start: what is to be refused must not be served meanwhile.
    await expect(serveNode(settings)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  test("that cannot be read change nothing", async () => {
    await using r = await rig("kept.deny");
    await r.block(`/ipfs/${r.cid}`);
    await writeFile(r.file, "version: 7\n---\n");
    expect(() => r.node.reload(parseConfig(r.node.config))).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
    expect(await codeOf(r.served, `/ipfs/${r.cid}`)).toEqual([410, "CONTENT_BLOCKED"]);
    await expect(serveNode({ content: { denylists: [join(directory, "none")] } })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });
});
