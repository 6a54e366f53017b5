import { describe, expect, it } from "vitest";
import { Redundancy } from "./red.ts";

/** A reader of its own: blocks with their distance and payload type. */
function blocksOf(payload: Buffer) {
  const heads: { type: number; distance: number; bytes: number | undefined }[] = [];
  let at = 0;
  for (;;) {
    const type = payload[at]! & 0x7f;
    if ((payload[at]! & 0x80) === 0) {
      heads.push({ type, distance: 0, bytes: undefined });
      at += 1;
      break;
    }
    const bits = payload.readUIntBE(at + 1, 3);
    heads.push({ type, distance: bits >>> 10, bytes: bits & 0x3ff });
    at += 4;
  }
  return heads.map(({ type, distance, bytes }) => {
    const end = bytes === undefined ? payload.length : at + bytes;
    const data = payload.subarray(at, end);
    at = end;
    return { type, distance, data: Buffer.from(data) };
  });
}

const sound = (bytes: number, fill: number): Buffer => Buffer.alloc(bytes, fill);

describe("sound that carries the packet before along", () => {
  it("has both, by their distance, in the order of time", () => {
    const red = new Redundancy({ payloadType: 63, primary: 111 });
    expect(red.wrap(sound(80, 1), 960)).toBeUndefined();
    red.note(sound(80, 1), 960);
    expect(blocksOf(red.wrap(sound(120, 2), 1920)!)).toEqual([
      { type: 111, distance: 960, data: sound(80, 1) },
      { type: 111, distance: 0, data: sound(120, 2) },
    ]);
    // Times begin anew after 2^32.
    red.note(sound(1, 3), 2 ** 32 - 480);
    expect(blocksOf(red.wrap(sound(1023, 4), 480)!)[0]).toMatchObject({ distance: 960, data: sound(1, 3) });
  });

  it("leaves alone after a gap, for the same moment, and where both are too large", () => {
    const red = new Redundancy({ payloadType: 63, primary: 111 });
    red.note(sound(80, 1), 0);
    expect(red.wrap(sound(80, 2), 16_384)).toBeUndefined();
    expect(red.wrap(sound(80, 2), 16_383)).toBeDefined();
    expect(red.wrap(sound(80, 2), 0)).toBeUndefined();
    expect(red.wrap(sound(1100 - 85, 2), 960)).toBeDefined();
    expect(red.wrap(sound(1101 - 85, 2), 960)).toBeUndefined();
    red.note(sound(1024, 1), 960);
    expect(red.wrap(sound(10, 2), 1920)).toBeUndefined();
  });
});
