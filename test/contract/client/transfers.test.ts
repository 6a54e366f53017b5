import { createReadStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { CidcastClient, type RtcConfiguration } from "@cidcast/client";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { describe, expect, test, vi } from "vitest";
import { serveNode, type ServedNode } from "../node/serve-node.ts";

const SAMPLE = fileURLToPath(new URL("../../../samples/sample-720p.mp4", import.meta.url));
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
const createPeerConnection = (configuration: RtcConfiguration) =>
  new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } });

vi.setConfig({ testTimeout: 60_000 });

async function add({ node }: ServedNode, text: string): Promise<string> {
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  };
  return (await node.content.add(bytes())).cid;
}

describe("a program transfers content", () => {
  test("one way alone is that way and no other; what it does not lead to is an error with its cause", async () => {
    await using from = await serveNode({ p2p: P2P });
    await using to = await serveNode({ p2p: P2P });
    const [peer = ""] = from.node.peer?.multiaddrs ?? [];
    using client = new CidcastClient({ url: to.url });
    const seen: string[] = [];
    const pull = {
      direction: "pull",
      onProgress: ({ rung }: { rung?: string | undefined }) => void seen.push(rung ?? ""),
    } as const;
    expect(await client.transferViaLibp2p(await add(from, "one"), peer, pull)).toMatchObject({ ok: true });
    expect(seen.at(-1)).toBe("libp2p");
    expect(await client.transferViaWebSocket(await add(from, "two"), from.url, pull)).toMatchObject({
      ok: true,
    });
    expect(seen.at(-1)).toBe("websocket");
    expect(await client.transferViaHttp(await add(from, "three"), from.url, pull)).toMatchObject({
      ok: true,
    });
    expect(seen.at(-1)).toBe("http");
    await expect(client.transferViaHttp(await add(from, "four"), peer, pull)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    const gone = await client.transferViaWebSocket(await add(from, "five"), "http://127.0.0.1:9", pull);
    expect(gone).toMatchObject({ ok: false, error: { code: "PEER_UNREACHABLE" } });
    expect(new Set(gone.attempts.map(({ rung }) => rung))).toEqual(new Set(["websocket"]));
  });

  test("to another node: by each way, and not where nobody is", async () => {
    await using from = await serveNode({ p2p: P2P });
    await using to = await serveNode({ p2p: { ...P2P, grantedPeers: [from.node.peer?.id ?? ""] } });
    using client = new CidcastClient({ url: from.url });
    const [peer = ""] = to.node.peer?.multiaddrs ?? [];
    const cids = await Promise.all(["one", "two", "three"].map(text => add(from, text)));
    const [one = "", two = "", three = ""] = cids;
    expect(await client.transferViaLibp2p(one, peer)).toEqual({ ok: true, attempts: [] });
    expect(await client.transferViaWebSocket(two, to.url)).toEqual({ ok: true, attempts: [] });
    expect(await client.transferViaHttp(three, to.url)).toEqual({ ok: true, attempts: [] });
    const rungs = (await to.node.transfers.list()).transfers.map(({ rung }) => rung);
    expect(new Set(rungs)).toEqual(new Set(["libp2p", "websocket", "http"]));
    expect(await client.transferContent(one, "http://127.0.0.1:9")).toMatchObject({ ok: false });
  });
});

describe("a stream and its metadata", () => {
  test("are up together, and end together when the node goes away", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    const { cid } = await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
    using client = new CidcastClient({ url: served.url });
    using watched = await client.streamWithMetadata(cid, { createPeerConnection });
    expect(watched.metadata).toMatchObject({ contentType: "video/mp4", size: 1_787_688 });
    expect(watched.stream.tracks.length).toBeGreaterThan(0);
    await served.node.stop();
    expect(await watched.closed).toBeDefined();
  });

  test("fail as one: nothing is left open where one of them cannot be had", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    using client = new CidcastClient({ url: served.url });
    const cid = await add(served, "words alone");
    await expect(client.streamWithMetadata(cid, { createPeerConnection })).rejects.toMatchObject({
      code: "CORRUPT_MEDIA",
    });
    await expect.poll(() => served.node.webrtc?.sessions().length).toBe(0);
  });
});
