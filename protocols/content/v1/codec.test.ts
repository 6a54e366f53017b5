import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  blockFrameBytes,
  decodeFrame,
  encodeBlockHead,
  encodeFrame,
  type Frame,
  FrameError,
  FrameParser,
  HEADER_BYTES,
  MAX_BITMAP_BYTES,
  MAX_BLOCK_BYTES,
  MAX_CID_BYTES,
  MAX_ERROR_TEXT_BYTES,
  MAX_ITEMS,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
  type RequestItem,
  TO_END,
} from "./index.ts";

interface Vectors {
  readonly valid: readonly { readonly name: string; readonly frame: unknown; readonly hex: string }[];
  readonly invalid: readonly { readonly name: string; readonly hex: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("./vectors/frames.json", import.meta.url), "utf8"),
) as Vectors;

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));

/** A vector's frame: byte strings are written `{"hex": "…"}`. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  if ("hex" in value) return bytesOf(String(value.hex));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

function decode(wire: Uint8Array): Frame {
  return decodeFrame(wire[HEADER_BYTES - 1] ?? 0, wire.subarray(HEADER_BYTES));
}

/** Frames found when `wire` is pushed in pieces of the sizes given, over and over. */
function parse(wire: Uint8Array, sizes: readonly number[], maxPayloadBytes = MAX_RESPONSE_BYTES): Frame[] {
  const frames: Frame[] = [];
  const parser = new FrameParser({ maxPayloadBytes, onFrame: frame => void frames.push(frame) });
  for (let at = 0, i = 0; at < wire.byteLength; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    parser.push(wire.subarray(at, at + size));
    at += size;
  }
  expect(parser.idle).toBe(true);
  return frames;
}

/** What a payload reads as, written again; or the error it ends in. */
function rewritten(type: number, payload: Uint8Array): unknown {
  try {
    return hexOf(encodeFrame(decodeFrame(type, payload)).subarray(HEADER_BYTES));
  } catch (error) {
    return error;
  }
}

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const id = fc.integer({ min: 1, max: 0xffffffff });
const u64 = fc.maxSafeNat();
const cid = bytes(1, MAX_CID_BYTES);
const item: fc.Arbitrary<RequestItem> = fc.oneof(
  fc
    .record({ cid, start: fc.nat(), length: fc.integer({ min: 1, max: 2 ** 40 }) })
    .map(({ cid, start, length }) => ({ kind: "subtree" as const, cid, start, end: start + length })),
  fc.record({ kind: fc.constant("children" as const), cid, bitmap: bytes(1, 64) }),
  fc.record({ kind: fc.constant("block" as const), cid }),
);
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant("request" as const),
    id,
    priority: fc.nat(255),
    items: fc.array(item, { minLength: 1, maxLength: 20 }),
  }),
  fc.record({ type: fc.constant("grant" as const), total: u64 }),
  fc.record({ type: fc.constant("cancel" as const), id }),
  fc.record({ type: fc.constant("block" as const), id, cid, bytes: bytes(0, 2000) }),
  fc.record({ type: fc.constant("missing" as const), id, cid }),
  fc.record({ type: fc.constant("end" as const), id, blocks: fc.nat(), bytes: u64 }),
  fc.record({
    type: fc.constant("error" as const),
    id: fc.nat(),
    code: fc.string({ maxLength: 40 }),
    message: fc.string({ maxLength: 100, unit: "grapheme" }),
  }),
);

describe("frozen vectors", () => {
  test.each(vectors.valid)("$name reads and writes as it always did", ({ frame, hex }) => {
    expect(hexOf(encodeFrame(revive(frame) as Frame))).toBe(hex);
    expect(decode(bytesOf(hex))).toEqual(revive(frame));
  });

  test.each(vectors.invalid)("$name is refused", ({ hex }) => {
    expect(() => decode(bytesOf(hex))).toThrow(FrameError);
  });
});

describe("frames", () => {
  test("survive writing and reading, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 }),
        (frames, sizes) => {
          const wire = Buffer.concat(frames.map(encodeFrame));
          expect(parse(wire, sizes)).toEqual(frames);
        },
      ),
    );
  });

  test("that are noise are refused with FrameError, or read to the same bytes", () => {
    fc.assert(
      fc.property(fc.nat(255), bytes(0, 300), (type, payload) => {
        expect(rewritten(type, payload)).toSatisfy(
          (again: unknown) => again instanceof FrameError || again === hexOf(payload),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("cost what blockFrameBytes says", () => {
    const block = encodeFrame({ type: "block", id: 1, cid: new Uint8Array(36), bytes: new Uint8Array(99) });
    expect(blockFrameBytes(36, 99)).toBe(block.byteLength);
    // The head is the same whether the block follows or is copied behind it.
    const head = encodeBlockHead({ id: 1, cid: new Uint8Array(36) }, 99);
    expect(hexOf(head)).toBe(hexOf(block.subarray(0, block.byteLength - 99)));
    expect(() => encodeBlockHead({ id: 1, cid: new Uint8Array(MAX_CID_BYTES + 1) }, 1)).toThrow(RangeError);
  });

  test("of the largest block fit a receiver's limit, one byte more than that does not", () => {
    const largest = encodeFrame({
      type: "block",
      id: 1,
      cid: new Uint8Array(MAX_CID_BYTES),
      bytes: new Uint8Array(MAX_BLOCK_BYTES),
    });
    expect(parse(largest, [100_000])).toHaveLength(1);
    const header = new Uint8Array(HEADER_BYTES);
    new DataView(header.buffer).setUint32(0, MAX_RESPONSE_BYTES + 1);
    expect(() => parse(header, [5])).toThrow(FrameError);
  });

  test("beyond a limit are not written", () => {
    const cid = new Uint8Array(36);
    const request = (items: RequestItem[]) => encodeFrame({ type: "request", id: 1, priority: 0, items });
    const block: RequestItem = { kind: "block", cid };
    expect(() => request(Array.from({ length: MAX_ITEMS + 1 }, () => block))).toThrow(RangeError);
    expect(() => request([{ kind: "block", cid: new Uint8Array(MAX_CID_BYTES + 1) }])).toThrow(RangeError);
    const bitmap = new Uint8Array(MAX_BITMAP_BYTES);
    expect(() => request([{ kind: "children", cid, bitmap: new Uint8Array(MAX_BITMAP_BYTES + 1) }])).toThrow(
      RangeError,
    );
    const many = Math.ceil(MAX_REQUEST_BYTES / MAX_BITMAP_BYTES);
    expect(() =>
      request(Array.from({ length: many }, (): RequestItem => ({ kind: "children", cid, bitmap }))),
    ).toThrow(RangeError);
    expect(() => request([{ kind: "subtree", cid, start: 0, end: TO_END }])).not.toThrow();
  });

  test("cut the text of an error between characters", () => {
    const wire = encodeFrame({ type: "error", id: 0, code: "INTERNAL", message: "ü".repeat(1000) });
    const read = decode(wire);
    expect(read).toMatchObject({ message: "ü".repeat(MAX_ERROR_TEXT_BYTES / 2) });
  });
});
