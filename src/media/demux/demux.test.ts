import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatterFor, h264Formatter, vp8Formatter } from "./frame-format.ts";
import { nalType, parseAvcConfig, splitAnnexB, splitLengthPrefixed } from "./nal.ts";
import { parseSps } from "./sps.ts";
import { audioVerdict, type VideoFacts, videoVerdict } from "./verdict.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const joined = (pieces: readonly Uint8Array[] | undefined): string =>
  Buffer.concat(pieces ?? []).toString("hex");

// SPS of x264: High 3.1 1280x720 with three B-frames, and of the same without.
const SPS_B_FRAMES = bytes("6764001facd9405005bb016a02020280000003008000001e478c18cb");

describe("NAL units", () => {
  test("Annex B is split at both kinds of start code, without the zeros before the next one", () => {
    const nals = splitAnnexB(bytes("00000001 0910 000001 65aabb 00 00000001 41cc"));
    expect(nals.map(nal => Buffer.from(nal).toString("hex"))).toEqual(["0910", "65aabb", "41cc"]);
  });

  test("lengths that do not add up are damage", () => {
    expect(splitLengthPrefixed(bytes("0002 6588 0001 41"), 2)?.map(nalType)).toEqual([5, 1]);
    expect(splitLengthPrefixed(bytes("0000000a 65"), 4)).toBeUndefined();
    expect(splitLengthPrefixed(bytes("00000001 65 00"), 4)).toBeUndefined();
  });

  test("no bytes make the parsers throw or hang", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), data => {
        parseSps(data);
        parseAvcConfig(data);
        const annexB = splitAnnexB(data).reduce((sum, nal) => sum + nal.length, 0);
        expect(annexB).toBeLessThanOrEqual(data.length);
        for (const codec of ["h264", "av1", "vp8", "vp9", "opus"] as const) {
          const frame = formatterFor(codec, data)(data, true);
          const sum = frame?.pieces.reduce((total, piece) => total + piece.length, 0);
          expect(sum).toBe(frame?.byteLength);
        }
      }),
    );
  });
});

describe("SPS", () => {
  test("tells what decides about passthrough", () => {
    expect(parseSps(SPS_B_FRAMES)).toEqual({
      profileIdc: 100,
      chromaFormatIdc: 1,
      bitDepth: 8,
      framesOnly: true,
      maxReorderFrames: 2,
    });
  });

  test("cut short it says nothing", () => {
    expect(parseSps(SPS_B_FRAMES.subarray(0, 5))).toBeUndefined();
  });
});

describe("frames for RTP", () => {
  const config = bytes("01 64001f ff e1 0004 67640a0b 01 0003 68ee3c");

  test("H.264 of an MP4 gets 4-byte lengths, and its parameter sets before each keyframe only", () => {
    const twoByteLengths = bytes("01 64001f fd e1 0004 67640a0b 01 0003 68ee3c");
    const format = h264Formatter(twoByteLengths);
    const key = format(bytes("0002 0910 0003 65aabb"), false);
    expect(key?.key).toBe(true);
    expect(joined(key?.pieces)).toBe("0000000467640a0b0000000368ee3c0000000365aabb");
    const delta = format(bytes("0002 41cc"), true);
    expect(delta?.key).toBe(false);
    expect(joined(delta?.pieces)).toBe("0000000241cc");
  });

  test("parameter sets in the stream take the place of the file's, there and later", () => {
    const format = h264Formatter(config);
    expect(joined(format(bytes("00000002 6701 00000002 6802 00000002 6503"), true)?.pieces)).toBe(
      "000000026701000000026802000000026503",
    );
    expect(joined(format(bytes("00000002 6504"), true)?.pieces)).toBe("000000026701000000026802000000026504");
  });

  test("Annex B becomes the same", () => {
    const frame = h264Formatter(undefined)(
      bytes("00000001 0910 00000001 6701 000001 6802 000001 6503"),
      false,
    );
    expect(frame?.key).toBe(true);
    expect(joined(frame?.pieces)).toBe("000000026701000000026802000000026503");
  });

  test("AV1 loses its temporal delimiters, VP8 tells keyframes itself", () => {
    expect(joined(formatterFor("av1", undefined)(bytes("1200 0a01ff 3202aabb"), true)?.pieces)).toBe(
      "0a01ff3202aabb",
    );
    expect(formatterFor("av1", undefined)(bytes("0aff"), true)).toBeUndefined();
    expect(vp8Formatter(bytes("10"), false)?.key).toBe(true);
    expect(vp8Formatter(bytes("11"), true)?.key).toBe(false);
  });
});

describe("verdicts", () => {
  const sps = { profileIdc: 100, chromaFormatIdc: 1, bitDepth: 8, framesOnly: true, maxReorderFrames: 0 };
  const facts: VideoFacts = {
    codec: "h264",
    decodable: true,
    bFrames: false,
    squarePixels: true,
    rotation: 0,
    mirrored: false,
    codecString: undefined,
    sps,
  };
  const verdict = (change: Partial<VideoFacts>) => videoVerdict({ ...facts, ...change });

  test.each(["h264", "vp8", "vp9", "av1"] as const)("%s is sent as it is", codec => {
    expect(verdict({ codec })).toMatchObject({
      mode: "passthrough",
      reason: expect.stringContaining("as it is"),
    });
  });

  test.each([
    ["B-frames", { bFrames: true }, "B-frames"],
    ["10 bits", { sps: { ...sps, bitDepth: 10 } }, "10 bits"],
    ["4:2:2", { sps: { ...sps, chromaFormatIdc: 2 } }, "4:2:0"],
    ["interlacing", { sps: { ...sps, framesOnly: false } }, "Interlaced"],
    ["non-square pixels", { squarePixels: false }, "non-square"],
    ["H.265", { codec: "h265" as const }, "H.265"],
    ["ProRes", { codec: "prores" as const }, "ProRes"],
    ["VP9 with 10 bits", { codec: "vp9" as const, codecString: "vp09.02.11.10.01" }, "profile 2"],
    ["AV1 with 10 bits", { codec: "av1" as const, codecString: "av01.0.00M.10" }, "10 bits"],
    ["pictures to be turned", { rotation: 90 as const }, "turned by 90°"],
    ["pictures to be mirrored", { mirrored: true }, "mirrored"],
    ["non-square VP9", { codec: "vp9" as const, squarePixels: false }, "VP9"],
  ])("%s is transcoded, and the reason says so", (_, change, word) => {
    expect(verdict(change)).toMatchObject({ mode: "transcode", reason: expect.stringContaining(word) });
  });

  test("what is unknown, or comes without its setup, is unplayable", () => {
    expect(verdict({ codec: "unknown" }).mode).toBe("unplayable");
    expect(verdict({ decodable: false }).mode).toBe("unplayable");
    expect(audioVerdict("unknown", true, 2).mode).toBe("unplayable");
    expect(audioVerdict("alac", false, 2).mode).toBe("unplayable");
  });

  test("Opus is sent as it is up to stereo; everything else that is known becomes Opus", () => {
    expect(audioVerdict("opus", true, 2).mode).toBe("passthrough");
    expect(audioVerdict("opus", true, 6)).toMatchObject({ mode: "transcode" });
    for (const codec of ["aac", "mp3", "ac3", "eac3", "flac", "vorbis", "pcm"] as const) {
      expect(audioVerdict(codec, true, 2)).toMatchObject({ mode: "transcode" });
    }
  });
});
