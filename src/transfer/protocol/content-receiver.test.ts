import {
  encodeFrame,
  type Frame,
  FrameParser,
  MAX_OPEN_REQUESTS,
  MAX_REQUEST_BYTES,
  type RequestItem,
  TO_END,
} from "@cidcast/protocols/content";
import type { CID } from "multiformats/cid";
import { describe, expect, test } from "vitest";
import { addBlock, addFile, patternBytes } from "../../../test/suites/dag.ts";
import { VirtualClock } from "../../core/index.ts";
import { MemoryBlocks } from "../../p2p/test-support.ts";
import { WantList } from "../dag/index.ts";
import { STALL_TIMEOUT_MS } from "../limits.ts";
import { ContentReceiver } from "./content-receiver.ts";
import { streamPair } from "./stream-pair.ts";

const WINDOW = 10_000;

/** A receiver whose source is spoken by hand. */
function receiving() {
  const here = new MemoryBlocks();
  const there = new MemoryBlocks();
  const clock = new VirtualClock();
  const [ours, theirs] = streamPair();
  const receiver = new ContentReceiver(ours, { clock, windowBytes: WINDOW });
  const frames: Frame[] = [];
  const parser = new FrameParser({
    maxPayloadBytes: MAX_REQUEST_BYTES,
    onFrame: frame => void frames.push(frame),
  });
  theirs.consume({ onData: chunk => parser.push(chunk) });
  return {
    here,
    there,
    clock,
    frames,
    receiver,
    source: theirs,
    stream: ours,
    send: (frame: Frame) => void theirs.send(encodeFrame(frame)),
    block: (id: number, cid: CID) =>
      void theirs.send(
        encodeFrame({
          type: "block",
          id,
          cid: cid.bytes,
          bytes: there.blocks.get(cid.toString()) ?? new Uint8Array(),
        }),
      ),
    fetch: async (items: readonly RequestItem[], signal?: AbortSignal) =>
      receiver.request(items, await WantList.of(here, items), { signal }),
    settled: async () => {
      for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve));
    },
  };
}

const alone = (cid: CID): RequestItem => ({ kind: "block", cid: cid.bytes });

describe("a receiver of the content protocol", () => {
  test("asks, takes what it asked for, and gives credit back as it is stored", async () => {
    const r = receiving();
    const leaves = await Promise.all(
      [1, 2, 3].map(seed => addBlock(r.there, 0x55, patternBytes(3000, seed))),
    );
    const fetching = r.fetch(leaves.map(alone));
    await r.settled();
    expect(r.frames.map(frame => frame.type)).toEqual(["grant", "request"]);
    for (const leaf of leaves) r.block(1, leaf);
    r.send({ type: "end", id: 1, blocks: 3, bytes: 9000 });
    await fetching;
    expect(r.here.blocks.size).toBe(3);
    await r.settled();
    const grants = r.frames.filter(frame => frame.type === "grant").map(frame => frame.total);
    expect(grants.at(-1)).toBeGreaterThan(WINDOW + 9000);
  });

  test.each<[string, (r: ReturnType<typeof receiving>, wanted: CID) => Promise<void> | void]>([
    [
      "other bytes",
      (r, wanted) => r.send({ type: "block", id: 1, cid: wanted.bytes, bytes: new Uint8Array(5) }),
    ],
    ["a block nobody asked for", async r => r.block(1, await addBlock(r.there, 0x55, patternBytes(10, 9)))],
    [
      "a block twice",
      (r, wanted) => {
        r.block(1, wanted);
        r.block(1, wanted);
      },
    ],
    ["a block of a request that never was", (r, wanted) => r.block(2, wanted)],
    ["an end with blocks unsent", r => r.send({ type: "end", id: 1, blocks: 0, bytes: 0 })],
    ["a frame for the other side", r => r.send({ type: "grant", total: 1 })],
    ["a lack of what nobody asked for", r => r.send({ type: "missing", id: 1, cid: new Uint8Array(36) })],
  ])("ends a stream whose source sends %s", async (_name, misbehave) => {
    const r = receiving();
    const wanted = [
      await addBlock(r.there, 0x55, patternBytes(100)),
      await addBlock(r.there, 0x55, patternBytes(50, 2)),
    ];
    const fetching = r.fetch(wanted.map(alone)).catch((error: unknown) => error);
    await r.settled();
    await misbehave(r, wanted[0] as CID);
    expect(await fetching).toMatchObject({ code: "CORRUPT_BLOCK" });
    expect(r.receiver.usable).toBe(false);
    expect(await r.source.closed).toBeInstanceOf(Error);
    await expect(r.fetch([])).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
  });

  test("ends a stream whose source sends more than there is credit for", async () => {
    const r = receiving();
    const large = await addBlock(r.there, 0x55, patternBytes(WINDOW));
    const fetching = r.fetch([alone(large)]).catch((error: unknown) => error);
    await r.settled();
    r.block(1, large);
    expect(await fetching).toMatchObject({ message: expect.stringContaining("credit") });
    expect(r.here.blocks.size).toBe(0);
  });

  test("ends a request with the error the source tells, and goes on with others", async () => {
    const r = receiving();
    const leaf = await addBlock(r.there, 0x55, patternBytes(10));
    const failing = r.fetch([alone(leaf)]).catch((error: unknown) => error);
    const other = r.fetch([alone(leaf)]);
    r.send({ type: "error", id: 1, code: "STORAGE_FAILED", message: "bad disk" });
    expect(await failing).toMatchObject({ code: "STORAGE_FAILED" });
    r.block(2, leaf);
    r.send({ type: "end", id: 2, blocks: 1, bytes: 10 });
    await other;
    const strange = r.fetch([alone(leaf)]).catch((error: unknown) => error);
    r.send({ type: "error", id: 0, code: "WHATEVER", message: "no" });
    expect(await strange).toMatchObject({ code: "INTERNAL" });
  });

  test("passes over what comes for a cancelled request, within the credit it had", async () => {
    const r = receiving();
    const leaves = await Promise.all([1, 2].map(seed => addBlock(r.there, 0x55, patternBytes(100, seed))));
    const caller = new AbortController();
    const cancelled = r.fetch(leaves.map(alone), caller.signal).catch((error: unknown) => error);
    await r.settled();
    caller.abort();
    expect(await cancelled).toMatchObject({ code: "ABORTED" });
    for (const leaf of leaves) r.block(1, leaf);
    await r.settled();
    expect(r.receiver.usable).toBe(true);
    expect(r.frames.at(-1)).toMatchObject({ type: "cancel", id: 1 });
    for (let i = 0; i < 100; i++) for (const leaf of leaves) r.block(1, leaf);
    await r.settled();
    expect(r.receiver.usable).toBe(false);
  });

  test("gives up on a source that brings nothing", async () => {
    const r = receiving();
    const leaf = await addBlock(r.there, 0x55, patternBytes(10));
    const fetching = r.fetch([alone(leaf)]).catch((error: unknown) => error);
    await r.settled();
    r.clock.advance(STALL_TIMEOUT_MS);
    expect(await fetching).toMatchObject({ code: "TIMEOUT" });
  });

  test("takes a polite close before the end for a failure", async () => {
    const r = receiving();
    const root = await addFile(r.there, patternBytes(5000));
    const fetching = r
      .fetch([{ kind: "subtree", cid: root.bytes, start: 0, end: TO_END }])
      .catch((error: unknown) => error);
    await r.settled();
    r.block(1, root);
    await r.source.close();
    expect(await fetching).toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(r.here.blocks.size).toBe(1);
  });

  test("fails a request that cannot be sent, and leaves no rejection behind", async () => {
    const r = receiving();
    const leaf = await addBlock(r.there, 0x55, patternBytes(10));
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    r.stream.send = () => {
      throw new Error("closed");
    };
    await expect(r.fetch([alone(leaf)])).rejects.toThrow("closed");
    await r.settled();
    process.off("unhandledRejection", onUnhandled);
    expect(unhandled).toEqual([]);
    expect(r.receiver.openRequests).toBe(0);
  });

  test("makes no more requests at once than a stream carries", async () => {
    const r = receiving();
    const leaf = await addBlock(r.there, 0x55, patternBytes(10));
    const open = Array.from({ length: MAX_OPEN_REQUESTS }, () =>
      r.fetch([alone(leaf)]).catch(() => undefined),
    );
    await r.settled();
    await expect(r.fetch([alone(leaf)])).rejects.toMatchObject({ code: "BUSY" });
    await r.receiver.close();
    await Promise.all(open);
    expect(r.receiver.openRequests).toBe(0);
  });
});
