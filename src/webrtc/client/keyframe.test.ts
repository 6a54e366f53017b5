import { expect, test } from "vitest";
import { KeyframeCollector } from "./keyframe.ts";

const START = Buffer.from([0, 0, 0, 1]);
const SPS = Buffer.from([0x67, 1, 2]);
const PPS = Buffer.from([0x68, 3]);
const IDR = Buffer.from([0x65, 4, 5, 6, 7, 8, 9]);

/** Packets of a keyframe: parameter sets together, the picture in three fragments. */
function packets(timestamp: number, first: number) {
  const sized = (unit: Buffer): Buffer[] => [Buffer.from([0, unit.byteLength]), unit];
  const fragment = (flags: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0x7c, flags | 5]), bytes]);
  const payloads = [
    Buffer.concat([Buffer.from([0x78]), ...sized(SPS), ...sized(PPS)]),
    fragment(0x80, IDR.subarray(1, 3)),
    fragment(0, IDR.subarray(3, 5)),
    fragment(0x40, IDR.subarray(5)),
  ];
  return payloads.map((payload, i) => ({
    sequenceNumber: (first + i) & 0xffff,
    timestamp,
    marker: i === payloads.length - 1,
    payload,
  }));
}

test("a keyframe is whole when its last packet is here, in any order, also where numbers begin anew", () => {
  const whole = Buffer.concat([START, SPS, START, PPS, START, IDR]);
  const collector = new KeyframeCollector();
  const [a, b, c, d] = packets(90, 65_534);
  for (const packet of [a, c, d]) expect(collector.push(packet!)).toBeUndefined();
  expect(collector.push(b!)).toEqual(whole);
});

test("pictures that are no keyframes, lost beginnings and late packets complete nothing", () => {
  const collector = new KeyframeCollector();
  const slice = { sequenceNumber: 1, timestamp: 10, marker: true, payload: Buffer.from([0x41, 1]) };
  expect(collector.push(slice)).toBeUndefined();
  const [, , c, d] = packets(20, 5);
  for (const packet of [c, d]) expect(collector.push(packet!)).toBeUndefined();
  const next = packets(30, 9);
  for (const packet of next.slice(0, -1)) expect(collector.push(packet)).toBeUndefined();
  expect(collector.push({ ...slice, timestamp: 25 })).toBeUndefined();
  expect(collector.push(next.at(-1)!)).toBeInstanceOf(Buffer);
});
