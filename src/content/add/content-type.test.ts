import { expect, test } from "vitest";
import { MAX_CONTENT_TYPE_LENGTH } from "../limits.ts";
import { sniff } from "./content-type.ts";

/** Bytes that say nothing of what they are. */
const VAGUE = Uint8Array.from([0, 1, 2, 3, 0xff, 0xfe]);

test("a sender's word is taken where the bytes say nothing, up to its longest, and where it is one", async () => {
  const withParameter = (length: number): string => "video/x; note=".padEnd(length, "a");
  const longest = withParameter(MAX_CONTENT_TYPE_LENGTH);
  expect(await sniff(VAGUE, { contentType: longest })).toBe("video/x");
  expect(await sniff(VAGUE, { contentType: `${longest}a` })).toBe("application/octet-stream");
  expect(await sniff(VAGUE, { contentType: `${longest}a`, name: "a.mp4" })).toBe("video/mp4");
  expect(await sniff(VAGUE, { contentType: "no type\r\nx: y", name: "a.mp4" })).toBe("video/mp4");
  expect(await sniff(VAGUE, { contentType: "Text/Plain; charset=utf-8" })).toBe("text/plain");
});

test("bytes that say what they are have the last word", async () => {
  const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
  expect(await sniff(png, { contentType: "video/mp4", name: "a.mp4" })).toBe("image/png");
});
