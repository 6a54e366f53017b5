import { readFileSync } from "node:fs";
import { decode, encode } from "@ipld/dag-cbor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeGop,
  encodeGop,
  GOP_MAX_FRAMES,
  manifestPage,
  mediaManifest,
  PAGE_MAX_SEGMENTS,
} from "./index.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const vectors = JSON.parse(readFileSync(new URL("vectors/manifest.json", import.meta.url), "utf8")) as {
  root: { cid: string; bytes: string };
  page: { cid: string; bytes: string };
  segment: { cid: string; bytes: string };
  gops: { offset: number; frames: { data: string; offsetUs: number; key: boolean }[] }[];
  droppable: {
    bytes: string;
    frames: { data: string; offsetUs: number; key: boolean; droppable?: boolean }[];
  };
  notGops: string[];
};

describe("media manifest v1", () => {
  it("reads the root and its page, and writes them again byte for byte", () => {
    const root = mediaManifest.parse(decode(bytes(vectors.root.bytes)));
    expect(root.tracks[0]?.renditions[0]).toMatchObject({ name: "low", codec: "h264", width: 640 });
    expect(root.tracks[0]?.renditions[0]?.pages.map(String)).toEqual([vectors.page.cid]);
    const page = manifestPage.parse(decode(bytes(vectors.page.bytes)));
    expect(page.segments.map(segment => String(segment.cid))).toEqual([vectors.segment.cid]);
    expect(Buffer.from(encode(root)).toString("hex")).toBe(vectors.root.bytes);
    expect(Buffer.from(encode(page)).toString("hex")).toBe(vectors.page.bytes);
  });

  it("finds each GOP by the page's index", () => {
    const [segment] = manifestPage.parse(decode(bytes(vectors.page.bytes))).segments;
    const data = bytes(vectors.segment.bytes);
    for (const [i, { offset, frames }] of vectors.gops.entries()) {
      expect(segment?.gops[i]?.[1]).toBe(offset);
      const end = segment?.gops[i + 1]?.[1] ?? data.length;
      const expected = frames.map(frame => ({ ...frame, data: bytes(frame.data) }));
      expect(decodeGop(data.subarray(offset, end))).toEqual(expected);
      expect(encodeGop(expected)).toEqual(data.subarray(offset, end));
    }
  });

  it("tells which frames may be left out", () => {
    const frames = vectors.droppable.frames.map(frame => ({ ...frame, data: bytes(frame.data) }));
    expect(decodeGop(bytes(vectors.droppable.bytes))).toEqual(frames);
    expect(Buffer.from(encodeGop(frames)).toString("hex")).toBe(vectors.droppable.bytes);
  });

  it.each(vectors.notGops)("refuses %j as a GOP", hex => {
    expect(decodeGop(bytes(hex))).toBeUndefined();
  });

  it("refuses what a manifest cannot be", () => {
    const root = mediaManifest.parse(decode(bytes(vectors.root.bytes)));
    for (const wrong of [{ version: 2 }, { kind: "x" }, { tracks: [] }, { duration: -1 }, { source: "" }]) {
      expect(mediaManifest.safeParse({ ...root, ...wrong }).success).toBe(false);
    }
    const { segments } = manifestPage.parse(decode(bytes(vectors.page.bytes)));
    const many = Array.from({ length: PAGE_MAX_SEGMENTS + 1 }, () => segments[0]);
    expect(manifestPage.safeParse({ segments: many }).success).toBe(false);
  });

  it("takes no more frames than a GOP may have", () => {
    const frame = { data: Uint8Array.of(1), offsetUs: 0, key: true };
    const most = Array.from({ length: GOP_MAX_FRAMES }, () => frame);
    expect(decodeGop(encodeGop(most))).toHaveLength(GOP_MAX_FRAMES);
    expect(() => encodeGop([...most, frame])).toThrow(RangeError);
    expect(() => encodeGop([])).toThrow(RangeError);
  });

  it("never throws on bytes from outside", () => {
    fc.assert(
      fc.property(fc.uint8Array(), data => {
        expect(() => decodeGop(data)).not.toThrow();
      }),
    );
  });
});
