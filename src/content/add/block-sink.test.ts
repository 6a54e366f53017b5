import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noMetrics } from "../../core/index.ts";
import { MemoryBlockstore } from "../blockstore/memory-blockstore.ts";
import { MAX_ADD_INFLIGHT_BYTES } from "../limits.ts";
import { contentMetrics } from "../metrics.ts";
import { abortable } from "./abortable.ts";
import { BlockSink } from "./block-sink.ts";
import { chunks } from "./chunker.ts";

describe("BlockSink", () => {
  test("lets no more bytes be unwritten than the limit, and goes on once they are written", async () => {
    const store = new MemoryBlockstore();
    const writing: (() => void)[] = [];
    store.put = () => new Promise<void>(resolve => writing.push(resolve));
    const sink = new BlockSink(store, contentMetrics(noMetrics));
    const size = 1024 * 1024;
    let waited = false;
    for (let i = 0; !waited && i < 100; i++) {
      sink.write(0x55, Buffer.alloc(size, i));
      const room = sink.room().then(() => "room");
      waited = (await Promise.race([room, new Promise(resolve => setImmediate(resolve, "full"))])) === "full";
      if (waited) writing.shift()?.();
      // Rejects or hangs unless the block that was written made room.
      await room;
    }
    expect(waited).toBe(true);
    expect(writing.length * size).toBe(MAX_ADD_INFLIGHT_BYTES);
    for (const write of writing) write();
    await sink.flush();
  });

  test("a block that could not be written is told to whoever writes next or waits", async () => {
    const store = new MemoryBlockstore();
    store.put = () => Promise.reject(new Error("no room"));
    const sink = new BlockSink(store, contentMetrics(noMetrics));
    sink.write(0x55, Buffer.from("x"));
    await expect(sink.flush()).rejects.toThrow("no room");
    expect(() => sink.write(0x55, Buffer.from("y"))).toThrow("no room");
    await expect(sink.settle()).resolves.toBeUndefined();
  });
});

describe("chunks", () => {
  test("are of one size whatever the pieces, and together what went in", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 50 })),
        fc.integer({ min: 1, max: 40 }),
        async (pieces, size) => {
          async function* source(): AsyncGenerator<Uint8Array> {
            yield* pieces;
          }
          const cut: Uint8Array[] = [];
          for await (const chunk of chunks(source(), size)) cut.push(chunk);
          expect(Buffer.compare(Buffer.concat(cut), Buffer.concat(pieces))).toBe(0);
          expect(cut.slice(0, -1).every(chunk => chunk.byteLength === size)).toBe(true);
          expect(cut.every(chunk => chunk.byteLength > 0 && chunk.byteLength <= size)).toBe(true);
        },
      ),
    );
  });
});

describe("abortable", () => {
  test("lets go of a source that is left early", async () => {
    let closed = false;
    async function* source(): AsyncGenerator<number> {
      try {
        yield 1;
        yield 2;
      } finally {
        closed = true;
      }
    }
    for await (const _ of abortable(source(), {})) break;
    await Promise.resolve();
    expect(closed).toBe(true);
  });
});
