import { expect, test } from "vitest";
import { LineCutter } from "./line-cutter.ts";

test("lines come whole, wherever the bytes were cut", () => {
  const bytes = Buffer.from("eins\nzwei ü\n\nrest");
  for (let step = 1; step <= bytes.byteLength; step++) {
    const cutter = new LineCutter(100);
    const lines: string[] = [];
    for (let at = 0; at < bytes.byteLength; at += step) {
      lines.push(...cutter.cut(bytes.subarray(at, at + step)));
    }
    expect(lines).toEqual(["eins", "zwei ü", ""]);
  }
});

test("a line over the limit ends the cutting, and those before it come", () => {
  const cutter = new LineCutter(4);
  expect([...cutter.cut(Buffer.from("four\nfive5\nsix\n"))]).toEqual(["four"]);
  expect(cutter.tooLong).toBe(true);
  expect([...cutter.cut(Buffer.from("six\n"))]).toEqual([]);
});
