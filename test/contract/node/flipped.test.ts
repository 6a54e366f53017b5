import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { expect, test, vi } from "vitest";
import type { ContentService } from "../../../src/content/index.ts";
import { makeClip } from "../../../src/media/testing/clips.ts";
import { MemoryBlocks } from "../../../src/p2p/test-support.ts";
import { startContentSocket } from "../../../src/transfer/testing/doors.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

vi.setConfig({ testTimeout: 180_000 });

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The same bytes with one bit changed. */
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** Connects a node, and waits until it can ask for blocks. */
async function connected({ node }: ServedNode, [address = ""]: readonly string[]): Promise<void> {
  await node.peer?.connectToPeer(address);
  await vi.waitFor(() => expect(node.peer?.hasPeers).toBe(true), { timeout: 60_000 });
}

const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };

test("a second node plays a manifest from the first, and refuses one with a flipped bit, with the reason", async () => {
  await using maker = await serveNode({ p2p: P2P });
  const clip = await makeClip({
    container: "mp4",
    video: { encoder: "libx264", frames: 60, gop: 30, bFrames: 2 },
  });
  const { cid: source } = await maker.node.content.add(once(clip), { name: "clip.mp4" });
  const job = await maker.node.prepare.submit(source, { presets: ["very_low"] });
  const { result } = await maker.node.prepare.ended(job.id);
  const { root = "", signature = "" } = result ?? {};
  // A node's content is the service itself: its type keeps blocks from those who embed a node.
  const { blocks } = maker.node.content as ContentService;
  const bytes = Buffer.from(await blocks.block(CID.parse(root)));

  const connect = [...(maker.node.peer?.multiaddrs ?? [])];
  await using second = await serveNode({ p2p: P2P });
  // One that hands flipped bytes out under the true name.
  const wrong = new Map([[root, flipped(bytes, 1)]]);
  await using liar = await startContentSocket(Object.assign(new MemoryBlocks(), { blocks: wrong }));
  const { transfers } = second.node;
  const { id } = await transfers.begin({ cid: root, from: [liar.url] });
  expect((await transfers.finished(id)).ok).toBe(false);
  const { attempts } = await transfers.transfer(id);
  expect(attempts).toMatchObject([{ code: "CORRUPT_BLOCK", message: expect.stringContaining(root) }]);

  await connected(second, connect);
  const segments = async (ref: string): Promise<number> => {
    await using opened = await second.node.media.open(ref);
    const rendition = await opened.rendition("v0");
    let count = 0;
    for (
      let next = await rendition.segmentAt(0);
      next !== undefined;
      next = await rendition.segmentAfter(next)
    )
      count += next.frameCount;
    return count;
  };
  expect(await segments(root)).toBe(30);

  /** A manifest with a bit flipped that names itself: its maker has hashed it anew. */
  const forged = async (at: number): Promise<string> => {
    const block = flipped(bytes, at);
    const cid = CID.createV1(0x71, await sha256.digest(block));
    await blocks.put(cid, block);
    return cid.toString();
  };
  const places = {
    kind: bytes.indexOf("media-manifest"),
    structure: 0,
    codec: bytes.indexOf("h264"),
    // A page's link: 00, version, codec, hash, length, and then the digest.
    page: bytes.indexOf(Buffer.from("0001711220", "hex")) + 10,
  };
  const reason = async (at: number): Promise<unknown> => segments(await forged(at)).catch(error => error);
  expect(await reason(places.kind)).toMatchObject({ code: "UNSUPPORTED_MEDIA" });
  expect(await reason(places.structure)).toMatchObject({
    code: "CORRUPT_MEDIA",
    message: expect.stringContaining("decoded"),
  });
  expect(await reason(places.codec)).toMatchObject({
    code: "UNSUPPORTED_MEDIA",
    message: expect.stringContaining("codec"),
  });

  // Who wants the maker's signature takes the manifest by that alone.
  await using careful = await serveNode({
    p2p: P2P,
    media: { trustedSigners: [String(maker.node.peer?.id)] },
  });
  await connected(careful, connect);
  await (await careful.node.media.open(signature)).close();
  await expect(careful.node.media.open(await forged(places.page))).rejects.toMatchObject({
    code: "SIGNATURE_REFUSED",
    message: expect.stringContaining("not signed"),
  });
});
