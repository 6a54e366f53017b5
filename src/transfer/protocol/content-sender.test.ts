import {
  encodeFrame,
  type Frame,
  FrameParser,
  MAX_OPEN_REQUESTS,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
  type RequestItem,
  TO_END,
} from "@cidcast/protocols/content";
import fc from "fast-check";
import type { CID } from "multiformats/cid";
import { describe, expect, test } from "vitest";
import { addBlock, addFile, addPb, patternBytes } from "../../../test/suites/dag.ts";
import { noMetrics, silentLogger, VirtualClock } from "../../core/index.ts";
import { MemoryBlocks } from "../../p2p/test-support.ts";
import { CREDIT_TIMEOUT_MS, MAX_DAG_DEPTH } from "../limits.ts";
import { transferMetrics } from "../metrics.ts";
import { sendContent } from "./content-sender.ts";
import { streamPair } from "./stream-pair.ts";

/** The receiver's end of a stream that is being served, spoken by hand. */
function served() {
  const blocks = new MemoryBlocks();
  const clock = new VirtualClock();
  const [ours, theirs] = streamPair();
  const components = { blocks, clock, metrics: transferMetrics(noMetrics), log: silentLogger };
  const done = sendContent(theirs, components);
  const frames: Frame[] = [];
  const waiting: { readonly until: (frame: Frame) => boolean; readonly found: (frame: Frame) => void }[] = [];
  const parser = new FrameParser({
    maxPayloadBytes: MAX_RESPONSE_BYTES,
    onFrame: frame => {
      frames.push(frame);
      for (const { until, found } of waiting) if (until(frame)) found(frame);
    },
  });
  const ended = Promise.withResolvers<void>();
  ours.consume({
    onData: chunk => parser.push(chunk),
    onEnd: () => ended.resolve(),
    onClose: () => ended.resolve(),
  });
  return {
    blocks,
    clock,
    frames,
    done,
    ended: ended.promise,
    stream: ours,
    send: (frame: Frame) => void ours.send(encodeFrame(frame)),
    request: (id: number, items: readonly RequestItem[], priority = 0) =>
      void ours.send(encodeFrame({ type: "request", id, priority, items })),
    /** The first frame that fits, come already or still to come. */
    frame: (until: (frame: Frame) => boolean): Promise<Frame> => {
      const here = frames.find(until);
      if (here !== undefined) return Promise.resolve(here);
      return new Promise(found => waiting.push({ until, found }));
    },
    /** Resolves after everything that can happen without another frame has happened. */
    settled: async () => {
      for (let i = 0; i < 50; i++) await new Promise(resolve => setImmediate(resolve));
    },
  };
}

const whole = (cid: CID): RequestItem => ({ kind: "subtree", cid: cid.bytes, start: 0, end: TO_END });
const ends = (id: number) => (frame: Frame) => frame.type === "end" && frame.id === id;
const errors = (id: number) => (frame: Frame) => frame.type === "error" && frame.id === id;
const blocksOf = (frames: readonly Frame[], id: number) =>
  frames.filter(frame => frame.type === "block" && frame.id === id).length;

describe("a sender of the content protocol", () => {
  test("sends nothing without credit, then whole frames that fit it", async () => {
    const s = served();
    const root = await addFile(s.blocks, patternBytes(10_000));
    s.request(1, [whole(root)]);
    await s.settled();
    expect(s.frames).toEqual([]);
    s.send({ type: "grant", total: 2500 });
    await s.frame(frame => frame.type === "block");
    await s.settled();
    const bytes = s.frames.reduce((sum, frame) => sum + encodeFrame(frame).byteLength, 0);
    expect(bytes).toBeLessThanOrEqual(2500);
    s.send({ type: "grant", total: 1000 });
    s.send({ type: "grant", total: 1_000_000 });
    expect(await s.frame(ends(1))).toMatchObject({ blocks: s.blocks.blocks.size });
    await s.stream.close();
    await s.done;
  });

  test("lets an urgent request overtake, and gives equals their turns", async () => {
    const s = served();
    const [bulk, other, urgent] = [
      await addFile(s.blocks, patternBytes(20_000, 1)),
      await addFile(s.blocks, patternBytes(20_000, 2)),
      await addFile(s.blocks, patternBytes(3000, 3)),
    ];
    s.request(1, [whole(bulk)]);
    s.request(2, [whole(other)]);
    s.send({ type: "grant", total: 6000 });
    await s.settled();
    expect(Math.abs(blocksOf(s.frames, 1) - blocksOf(s.frames, 2))).toBeLessThanOrEqual(1);
    const before = blocksOf(s.frames, 1) + blocksOf(s.frames, 2);
    s.request(3, [whole(urgent)], 255);
    await s.settled();
    s.send({ type: "grant", total: 1_000_000 });
    await s.frame(ends(3));
    expect(blocksOf(s.frames, 1) + blocksOf(s.frames, 2)).toBe(before);
    await Promise.all([s.frame(ends(1)), s.frame(ends(2))]);
    await s.stream.close();
    await s.done;
  });

  test("stops what is cancelled, and goes on with the rest", async () => {
    const s = served();
    const [a, b] = [
      await addFile(s.blocks, patternBytes(50_000)),
      await addFile(s.blocks, patternBytes(5000, 2)),
    ];
    s.request(1, [whole(a)]);
    s.send({ type: "grant", total: 5000 });
    await s.settled();
    s.send({ type: "cancel", id: 1 });
    s.send({ type: "cancel", id: 77 });
    s.request(2, [whole(b)]);
    s.send({ type: "grant", total: 1_000_000 });
    await s.frame(ends(2));
    await s.settled();
    expect(s.frames.some(ends(1))).toBe(false);
    await s.stream.close();
    await s.done;
  });

  test("finishes what is open after the receiver has closed its side", async () => {
    const s = served();
    const root = await addFile(s.blocks, patternBytes(20_000));
    s.request(1, [whole(root)]);
    s.send({ type: "grant", total: 1_000_000 });
    await s.stream.close();
    expect(await s.frame(ends(1))).toMatchObject({ blocks: s.blocks.blocks.size });
    await s.ended;
    await s.done;
  });

  test("refuses a request beyond the most that may be open, and keeps the others", async () => {
    const s = served();
    const root = await addFile(s.blocks, patternBytes(5000));
    for (let id = 1; id <= MAX_OPEN_REQUESTS + 1; id++) s.request(id, [whole(root)]);
    expect(await s.frame(errors(MAX_OPEN_REQUESTS + 1))).toMatchObject({ code: "LIMIT_REACHED" });
    s.send({ type: "grant", total: 10_000_000 });
    await s.frame(ends(1));
    await s.stream.close();
    await s.done;
  });

  test("ends the stream of a receiver that gives no credit for long", async () => {
    const s = served();
    s.request(1, [whole(await addFile(s.blocks, patternBytes(5000)))]);
    await s.settled();
    s.clock.advance(CREDIT_TIMEOUT_MS);
    expect(await s.frame(errors(0))).toMatchObject({ code: "TIMEOUT" });
    await s.done;
  });

  test("answers children of a node that it lacks, and a CID that is none, with an error for that request", async () => {
    const s = served();
    const elsewhere = await addFile(new MemoryBlocks(), patternBytes(5000));
    s.send({ type: "grant", total: 10_000 });
    s.request(1, [{ kind: "children", cid: elsewhere.bytes, bitmap: new Uint8Array([1]) }]);
    expect(await s.frame(errors(1))).toMatchObject({ code: "CONTENT_NOT_FOUND" });
    s.request(2, [{ kind: "block", cid: new Uint8Array([1, 2, 3]) }]);
    expect(await s.frame(errors(2))).toMatchObject({ code: "INVALID_CID" });
    await s.stream.close();
    await s.done;
  });

  test("treats a block that cannot be read as missing", async () => {
    const s = served();
    const leaf = await addBlock(s.blocks, 0x55, patternBytes(10));
    s.blocks.get = () => Promise.reject(new Error("bad sector"));
    s.send({ type: "grant", total: 10_000 });
    s.request(1, [{ kind: "block", cid: leaf.bytes }]);
    expect(await s.frame(frame => frame.type === "missing")).toMatchObject({ id: 1 });
    await s.stream.close();
    await s.done;
  });

  test("walks a DAG whose nodes are shared once, and none that is too deep", async () => {
    const s = served();
    let node = await addBlock(s.blocks, 0x55, patternBytes(10));
    for (let level = 0; level < 40; level++) node = await addPb(s.blocks, [node, node]);
    s.send({ type: "grant", total: 1_000_000 });
    s.request(1, [whole(node)]);
    expect(await s.frame(ends(1))).toMatchObject({ blocks: 41 });
    for (let level = 40; level <= MAX_DAG_DEPTH + 1; level++) node = await addPb(s.blocks, [node]);
    s.request(2, [whole(node)]);
    expect(await s.frame(errors(2))).toMatchObject({ code: "LIMIT_REACHED" });
    await s.stream.close();
    await s.done;
  });

  test.each([
    ["a frame for the other side", encodeFrame({ type: "missing", id: 1, cid: new Uint8Array(36) })],
    ["a frame beyond the largest", frameHeader(MAX_REQUEST_BYTES + 1)],
    ["a type that is not known", new Uint8Array([0, 0, 0, 0, 0x44])],
  ])("ends a stream that brings %s", async (_name, wire) => {
    const s = served();
    s.stream.send(wire);
    expect(await s.frame(errors(0))).toMatchObject({ code: "INVALID_REQUEST" });
    await s.done;
  });

  test("ends a stream that uses an id twice", async () => {
    const s = served();
    const root = await addFile(s.blocks, patternBytes(5000));
    s.request(1, [whole(root)]);
    s.request(1, [whole(root)]);
    expect(await s.frame(errors(0))).toMatchObject({ code: "INVALID_REQUEST" });
    await s.done;
  });

  test("survives any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), async chunks => {
        const s = served();
        for (const chunk of chunks) s.stream.send(chunk);
        await s.stream.close();
        await s.done;
      }),
      { numRuns: 50 },
    );
    expect.assertions(0);
  });
});

function frameHeader(length: number): Uint8Array {
  const header = new Uint8Array(5);
  new DataView(header.buffer).setUint32(0, length);
  header[4] = 1;
  return header;
}
