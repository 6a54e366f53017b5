import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CidcastClient, type RtcConfiguration } from "@cidcast/client";
import type { CID } from "multiformats/cid";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { expect, test, vi } from "vitest";
import type { ContentService } from "../../../src/content/index.ts";
import type { TransferBlocks } from "../../../src/transfer/index.ts";
import { addFile } from "../../suites/dag.ts";
import { serveNode, type ServedNode } from "../node/serve-node.ts";

const SAMPLE = fileURLToPath(new URL("../../../samples/sample-720p.mp4", import.meta.url));
const createPeerConnection = (configuration: RtcConfiguration) =>
  new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } });

// Three whole nodes and a viewer.
vi.setConfig({ testTimeout: 60_000 });

/** Puts the sample into a node in small blocks; gives its CID, and what lets the later part of it be read. */
async function addSample({ node }: ServedNode, share = 1): Promise<{ cid: string; release: () => void }> {
  const { blocks } = node.content as ContentService;
  const leaves: string[] = [];
  const sink: TransferBlocks = {
    has: cid => blocks.has(cid),
    get: cid => blocks.get(cid),
    async put(cid, bytes) {
      if (cid.code === 0x55) leaves.push(cid.toString());
      await blocks.put(cid, bytes);
    },
  };
  const root = await addFile(sink, await readFile(SAMPLE), { chunkBytes: 32 * 1024, fanout: 8 });
  const late = new Set(leaves.slice(Math.floor(leaves.length * share)));
  const released = Promise.withResolvers<void>();
  const get = blocks.get.bind(blocks);
  blocks.get = async (wanted: CID, options) => {
    if (late.has(wanted.toString())) await released.promise;
    return get(wanted, options);
  };
  return { cid: root.toString(), release: released.resolve };
}

async function metric({ url }: ServedNode, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter(line => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("plays what is not here yet, long before all of it is, and goes on when its provider goes away", async () => {
  await using first = await serveNode();
  await using second = await serveNode();
  await using viewer = await serveNode({
    webrtc: { enabled: true },
    // What is held back is not silence.
    transfer: { stallTimeoutMs: 120_000 },
  });
  const [one, other] = [await addSample(first, 0.6), await addSample(second, 0.6)];
  const { cid } = one;
  expect(other.cid).toBe(cid);
  const { transfers, content } = viewer.node;
  const { id } = await transfers.begin({ cid, from: [first.url, second.url] });
  using client = new CidcastClient({ url: viewer.url });
  let videoPackets = 0;
  const pictures = Promise.withResolvers<void>();
  using stream = await client.streamContent(cid, {
    createPeerConnection,
    onPacket({ kind }) {
      if (kind === "video" && ++videoPackets === 30) pictures.resolve();
    },
  });
  await pictures.promise;
  expect(await transfers.transfer(id)).toMatchObject({ state: "running" });
  expect((await content.stat(cid)).complete).toBe(false);
  expect(await metric(viewer, "cidcast_transfer_demands_total")).toBeGreaterThan(0);
  // The one that goes away leaves the copy and the viewer with the other.
  await first.node.stop();
  one.release();
  other.release();
  stream.seek(15);
  await expect.poll(() => stream.positionSeconds, { timeout: 30_000 }).toBeGreaterThan(15.5);
  expect((await transfers.finished(id)).ok).toBe(true);
  const { localBlocks, complete } = await content.stat(cid);
  expect(complete).toBe(true);
  expect(await metric(viewer, "cidcast_transfer_received_blocks_total")).toBe(localBlocks);
  expect(await metric(viewer, "cidcast_transfer_redundant_blocks_total")).toBe(0);
});

test("a player that opens before the first block is here waits for the transfer", async () => {
  await using from = await serveNode();
  await using viewer = await serveNode({ webrtc: { enabled: true } });
  const { cid } = await addSample(from);
  await viewer.node.transfers.begin({ cid, from: [from.url] });
  using client = new CidcastClient({ url: viewer.url });
  const packet = Promise.withResolvers<void>();
  using stream = await client.streamContent(cid, { createPeerConnection, onPacket: () => packet.resolve() });
  await packet.promise;
  expect(stream.tracks.length).toBeGreaterThan(0);
});
