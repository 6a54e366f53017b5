import { expect, test } from "vitest";
import { makeClip } from "../testing/clips.ts";
import { pictureHashes } from "../testing/decode.ts";
import { allSegments, testMedia } from "../testing/harness.ts";
import { findEncoder } from "../transcode/encoder.ts";
import { FRAME_DROPPABLE } from "../types.ts";
import { Av1Droppable, isDroppableH264, isDroppableVp9 } from "./droppable.ts";

const hasEncoder = findEncoder({}).kind === "node-av";
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** libvpx with two layers in time. */
const LAYERS = {
  b: "300000",
  minrate: "300000",
  maxrate: "300000",
  deadline: "realtime",
  "cpu-used": "8",
  "lag-in-frames": "0",
  "ts-parameters":
    "ts_number_layers=2:ts_target_bitrate=180,300:ts_rate_decimator=2,1:ts_periodicity=2:ts_layer_id=0,1:ts_layering_mode=2",
};

test.skipIf(!hasEncoder).each([
  // Its upper layer shares what the entropy coder learns: leaving out one picture would spoil the next.
  ["VP9 in layers that learn", "vp9", "libvpx-vp9", LAYERS, 0],
  ["VP9 in layers", "vp9", "libvpx-vp9", { ...LAYERS, "error-resilient": "1" }, 30],
  ["VP9 in one layer", "vp9", "libvpx-vp9", { deadline: "realtime", "lag-in-frames": "0" }, 0],
  [
    "AV1 in layers",
    "av1",
    "libsvtav1",
    { preset: "12", "svtav1-params": "pred-struct=1:hierarchical-levels=2" },
    30,
  ],
  ["H.264 without B-frames", "h264", "libx264", {}, 0],
])(
  "what is marked in %s can be left out, and the rest looks as before",
  async (_what, codec, encoder, options, most) => {
    const container = codec === "h264" ? "mp4" : "webm";
    const clip = await makeClip({ container, video: { encoder, options, frames: 60, gop: 60, bFrames: 0 } });
    await using t = testMedia({ files: { clip } });
    await using source = await t.media.open("clip");
    expect(source.info.tracks[0]?.verdict.mode).toBe("passthrough");
    const segments = await allSegments(await source.rendition("v0"));
    const marked = segments
      .flatMap(({ flags }) => [...flags])
      .filter(flag => flag === FRAME_DROPPABLE).length;
    expect(marked).toBe(most);
    const all = pictureHashes(segments, { codec });
    const fewer = pictureHashes(segments, { codec, without: "droppable" });
    expect([all.size, fewer.size]).toEqual([60, 60 - marked]);
    for (const [time, hash] of fewer) expect([time, all.get(time)]).toEqual([time, hash]);
  },
);

test("an H.264 picture goes when none of its slices is referred to", () => {
  const [reference, none, sei] = [bytes("6142"), bytes("0142"), bytes("0605")];
  expect(isDroppableH264([sei, none, none])).toBe(true);
  expect(isDroppableH264([none, reference])).toBe(false);
  expect(isDroppableH264([sei])).toBe(false);
  expect(isDroppableH264([])).toBe(false);
});

test("what cannot be read counts as needed", () => {
  for (const hex of ["", "00", "ff", "82", "a2 00 00 c0"]) expect(isDroppableVp9(bytes(hex))).toBe(false);
  const av1 = new Av1Droppable();
  // A frame before any sequence header.
  expect(av1.look([{ type: 6, payload: bytes("30000000") }])).toBe(false);
  expect(av1.look([])).toBe(false);
  expect(av1.look([{ type: 1, payload: bytes("") }])).toBe(false);
});
