import { readFile } from "node:fs/promises";
import {
  AV_PIX_FMT_YUV420P10LE,
  AV_PIX_FMT_YUV422P,
  AV_PIX_FMT_YUV422P10LE,
  AV_PIX_FMT_YUV444P,
  AV_PIX_FMT_YUVJ420P,
} from "node-av/constants";
import { afterAll, describe, expect, test } from "vitest";
import { type ClipInit, makeClip } from "../testing/clips.ts";
import { decodeOpus, firstPicture, onsets, shownFrames } from "../testing/decode.ts";
import { allSegments, testMedia, timesOf } from "../testing/harness.ts";
import { findEncoder } from "../transcode/encoder.ts";

const hasEncoder = findEncoder({}).kind === "node-av";

const PLAIN = { encoder: "libx264", options: { preset: "ultrafast" }, frames: 30 } as const;
/** The way most encoders are set: pictures out of order. */
const USUAL = { encoder: "libx264", options: { preset: "fast" }, bFrames: 2, frames: 30 } as const;
const MPEG2 = { encoder: "mpeg2video", bFrames: 2, frames: 30 } as const;
const MPEG4 = { encoder: "mpeg4", bFrames: 2, frames: 30 } as const;
const AAC = [{ encoder: "aac", seconds: 1 }] as const;
const OPUS = [{ encoder: "libopus", seconds: 1 }] as const;
const quick = { deadline: "realtime", "cpu-used": "8" };

interface Kind {
  /** Made here, or the name of a fixture. */
  readonly clip: ClipInit | string;
  /** What is wanted of the picture track: verdict, a word of its reason, number and distance of the pictures sent. */
  readonly video?: readonly ["passthrough" | "transcode", string, number, number];
  /** What is wanted of the first sound track: verdict, a word of its reason. */
  readonly audio?: readonly ["passthrough" | "transcode", string];
}

const KINDS: Readonly<Record<string, Kind>> = {
  "H.264 and Opus in MP4, index at the end": {
    clip: { container: "mp4", video: PLAIN, audio: OPUS },
    video: ["passthrough", "as it is", 30, 1 / 30],
    audio: ["passthrough", "as it is"],
  },
  "H.264 with B-frames and AAC in MP4, index at the front": {
    clip: { container: "mp4", muxer: { movflags: "+faststart" }, video: USUAL, audio: AAC },
    video: ["transcode", "B-frames", 30, 1 / 30],
    audio: ["transcode", "AAC"],
  },
  "fragmented MP4": {
    clip: {
      container: "mp4",
      muxer: { movflags: "frag_keyframe+empty_moov+default_base_moof" },
      video: { ...PLAIN, frames: 60 },
    },
    video: ["passthrough", "as it is", 60, 1 / 30],
  },
  "10 s between keyframes": {
    clip: {
      container: "mp4",
      video: {
        ...USUAL,
        options: { preset: "fast", "x264-params": "scenecut=0:keyint=100:min-keyint=100" },
        frames: 120,
        rate: [10, 1],
        gop: 100,
      },
    },
    video: ["transcode", "B-frames", 120, 0.1],
  },
  "film at 23.976 pictures a second": {
    clip: { container: "mp4", video: { ...USUAL, frames: 48, rate: [24_000, 1001] } },
    video: ["transcode", "B-frames", 48, 1001 / 24_000],
  },
  "50 pictures a second, of which every second is sent": {
    clip: { container: "mp4", video: { ...USUAL, frames: 100, rate: [50, 1] } },
    video: ["transcode", "B-frames", 50, 0.04],
  },
  "50 pictures a second as they are": {
    clip: { container: "mp4", video: { ...PLAIN, frames: 100, rate: [50, 1] } },
    video: ["passthrough", "as it is", 100, 0.02],
  },
  "H.264 4:2:2": {
    clip: { container: "mp4", video: { ...PLAIN, pixelFormat: AV_PIX_FMT_YUV422P } },
    video: ["transcode", "4:2:0", 30, 1 / 30],
  },
  "H.264 with 10 bits": {
    clip: { container: "mp4", video: { ...PLAIN, pixelFormat: AV_PIX_FMT_YUV420P10LE } },
    video: ["transcode", "10 bits", 30, 1 / 30],
  },
  "H.265 with 10 bits": {
    clip: {
      container: "mp4",
      video: {
        ...PLAIN,
        encoder: "libx265",
        pixelFormat: AV_PIX_FMT_YUV420P10LE,
        options: { preset: "ultrafast", "x265-params": "log-level=none" },
      },
    },
    video: ["transcode", "H.265", 30, 1 / 30],
  },
  ProRes: {
    clip: {
      container: "mov",
      video: { encoder: "prores_ks", frames: 10, pixelFormat: AV_PIX_FMT_YUV422P10LE },
    },
    video: ["transcode", "ProRes", 10, 1 / 30],
  },
  "Matroska with AC-3 and text subtitles": {
    clip: {
      container: "matroska",
      video: USUAL,
      audio: [{ encoder: "ac3", seconds: 1 }],
      subtitles: ["one", "two"],
    },
    video: ["transcode", "B-frames", 30, 1 / 30],
    audio: ["transcode", "AC-3"],
  },
  "MPEG-TS": {
    clip: { container: "mpegts", video: USUAL, audio: AAC },
    video: ["transcode", "B-frames", 30, 1 / 30],
    audio: ["transcode", "AAC"],
  },
  "VP8 and Opus in WebM": {
    clip: { container: "webm", video: { encoder: "libvpx", options: quick, frames: 30 }, audio: OPUS },
    video: ["passthrough", "VP8", 30, 1 / 30],
    audio: ["passthrough", "as it is"],
  },
  "VP9 in WebM": {
    clip: { container: "webm", video: { encoder: "libvpx-vp9", options: quick, frames: 30 } },
    video: ["passthrough", "VP9", 30, 1 / 30],
  },
  "VP9 4:4:4": {
    clip: {
      container: "webm",
      video: { encoder: "libvpx-vp9", options: quick, frames: 30, pixelFormat: AV_PIX_FMT_YUV444P },
    },
    video: ["transcode", "profile 1", 30, 1 / 30],
  },
  "AV1 and Vorbis in WebM": {
    clip: "av1-vorbis.webm",
    video: ["passthrough", "AV1", 30, 1 / 30],
    audio: ["transcode", "Vorbis"],
  },
  "AV1 with 10 bits": {
    clip: "av1-10-bits.mp4",
    video: ["transcode", "10 bits", 30, 1 / 30],
  },
  FLAC: {
    clip: { container: "flac", audio: [{ encoder: "flac", seconds: 1 }] },
    audio: ["transcode", "FLAC"],
  },
  "mono AAC": {
    clip: { container: "ipod", audio: [{ encoder: "aac", seconds: 1, channels: 1 }] },
    audio: ["transcode", "AAC"],
  },
  "E-AC-3 5.1": {
    clip: { container: "mp4", audio: [{ encoder: "eac3", seconds: 1, channels: 6 }] },
    audio: ["transcode", "E-AC-3"],
  },
  "MPEG-2 and AC-3 in MPEG-TS": {
    clip: { container: "mpegts", video: MPEG2, audio: [{ encoder: "ac3", seconds: 1 }] },
    video: ["transcode", "MPEG-2", 30, 1 / 30],
    audio: ["transcode", "AC-3"],
  },
  "MPEG-2 and MP2 in an MPEG program stream": {
    clip: { container: "vob", video: MPEG2, audio: [{ encoder: "mp2", seconds: 1 }] },
    video: ["transcode", "MPEG-2", 30, 1 / 30],
    audio: ["transcode", "MP2"],
  },
  "MPEG-2 in MP4": {
    clip: { container: "mp4", video: MPEG2 },
    video: ["transcode", "MPEG-2", 30, 1 / 30],
  },
  "MPEG-2 in Matroska": {
    clip: { container: "matroska", video: MPEG2 },
    video: ["transcode", "MPEG-2", 30, 1 / 30],
  },
  "MPEG-4 Visual in MP4": {
    clip: { container: "mp4", video: MPEG4, audio: AAC },
    video: ["transcode", "MPEG-4 Visual", 30, 1 / 30],
    audio: ["transcode", "AAC"],
  },
  "MPEG-4 Visual with B-frames and MP3 in AVI": {
    clip: { container: "avi", video: MPEG4, audio: [{ encoder: "libmp3lame", seconds: 1 }] },
    video: ["transcode", "MPEG-4 Visual", 30, 1 / 30],
    audio: ["transcode", "MP3"],
  },
  "Motion JPEG in QuickTime": {
    clip: {
      container: "mov",
      video: { encoder: "mjpeg", frames: 30, pixelFormat: AV_PIX_FMT_YUVJ420P },
      audio: [{ encoder: "pcm_s16le", seconds: 1 }],
    },
    video: ["transcode", "Motion JPEG", 30, 1 / 30],
    audio: ["transcode", "PCM"],
  },
  "H.264 and AAC in Flash Video": {
    clip: { container: "flv", video: USUAL, audio: AAC },
    video: ["transcode", "B-frames", 30, 1 / 30],
    audio: ["transcode", "AAC"],
  },
  "Sorenson H.263 in Flash Video": {
    clip: { container: "flv", video: { encoder: "flv", frames: 30 } },
    video: ["transcode", "Sorenson", 30, 1 / 30],
  },
  "MS MPEG-4 in ASF": {
    clip: { container: "asf", video: { encoder: "msmpeg4", frames: 30 } },
    video: ["transcode", "MS MPEG-4", 30, 1 / 30],
  },
  "H.264 without B-frames in MPEG-TS, sent as it is": {
    clip: { container: "mpegts", video: { ...PLAIN, frames: 60 } },
    video: ["passthrough", "as it is", 60, 1 / 30],
  },
  ALAC: {
    clip: { container: "ipod", audio: [{ encoder: "alac", seconds: 1 }] },
    audio: ["transcode", "ALAC"],
  },
  AIFF: {
    clip: { container: "aiff", audio: [{ encoder: "pcm_s16be", seconds: 1 }] },
    audio: ["transcode", "PCM"],
  },
  "MPEG-1 in an MPEG program stream": {
    clip: { container: "vob", video: { encoder: "mpeg1video", bFrames: 2, frames: 30 } },
    video: ["transcode", "MPEG-1", 30, 1 / 30],
  },
  "MPEG-2 and PCM in MXF": {
    clip: {
      container: "mxf",
      video: { ...MPEG2, rate: [25, 1], frames: 25 },
      audio: [{ encoder: "pcm_s16le", seconds: 1 }],
    },
    video: ["transcode", "MPEG-2", 25, 1 / 25],
    audio: ["transcode", "PCM"],
  },
  "Windows Media in ASF": {
    clip: { container: "asf", video: { encoder: "wmv2", frames: 30 } },
    video: ["transcode", "Windows Media", 30, 1 / 30],
  },
  "H.263 and ADPCM in AVI": {
    clip: {
      container: "avi",
      video: { encoder: "h263p", frames: 30 },
      audio: [{ encoder: "adpcm_ima_wav", seconds: 1 }],
    },
    video: ["transcode", "H.263", 30, 1 / 30],
    audio: ["transcode", "ADPCM"],
  },
  "Theora and Vorbis in Ogg": {
    clip: {
      container: "ogg",
      video: { encoder: "libtheora", frames: 30 },
      audio: [{ encoder: "libvorbis", seconds: 1 }],
    },
    video: ["transcode", "Theora", 30, 1 / 30],
    audio: ["transcode", "Vorbis"],
  },
  "FFV1 and DTS in Matroska": {
    clip: {
      container: "matroska",
      video: { encoder: "ffv1", frames: 30 },
      audio: [{ encoder: "dca", seconds: 1, options: { strict: "-2", b: "768000" } }],
    },
    video: ["transcode", "FFV1", 30, 1 / 30],
    audio: ["transcode", "DTS"],
  },
  "VP9 in IVF": {
    clip: { container: "ivf", video: { encoder: "libvpx-vp9", options: quick, frames: 30 } },
    video: ["passthrough", "VP9", 30, 1 / 30],
  },
  "ALAC in Core Audio Format": {
    clip: { container: "caf", audio: [{ encoder: "alac", seconds: 1 }] },
    audio: ["transcode", "ALAC"],
  },
  WavPack: {
    clip: { container: "wv", audio: [{ encoder: "wavpack", seconds: 1 }] },
    audio: ["transcode", "WavPack"],
  },
  "Sun audio": {
    clip: { container: "au", audio: [{ encoder: "pcm_s16be", seconds: 1 }] },
    audio: ["transcode", "PCM"],
  },
  "AC-3 by itself": {
    clip: { container: "ac3", audio: [{ encoder: "ac3", seconds: 1 }] },
    audio: ["transcode", "AC-3"],
  },
  "PCM in WAVE": {
    clip: { container: "wav", audio: [{ encoder: "pcm_s16le", seconds: 1 }] },
    audio: ["transcode", "PCM"],
  },
  MP3: {
    clip: { container: "mp3", audio: [{ encoder: "libmp3lame", seconds: 1 }] },
    audio: ["transcode", "MP3"],
  },
  "Opus 5.1": {
    clip: {
      container: "matroska",
      audio: [{ encoder: "libopus", seconds: 1, channels: 6, options: { mapping_family: "1" } }],
    },
    audio: ["transcode", "6 channels"],
  },
};

const named = (part: "video" | "audio") =>
  Object.entries(KINDS).flatMap(([name, kind]) =>
    kind[part] === undefined ? [] : [[name, kind.clip, kind[part]]],
  ) as [string, ClipInit | string, NonNullable<Kind[typeof part]>][];

async function bytesOf(clip: ClipInit | string): Promise<Uint8Array> {
  if (typeof clip !== "string") return makeClip(clip);
  return readFile(new URL(`../../../test/fixtures/media/${clip}`, import.meta.url));
}

function framesOf(clip: ClipInit | string): number {
  return typeof clip === "string" ? 30 : (clip.video?.frames ?? 0);
}

describe.skipIf(!hasEncoder)("kinds of files that people have", () => {
  // One for all: its processes go from file to file, as those of a node do.
  const t = testMedia({ files: {} });
  let count = 0;
  afterAll(() => t.media.stop());
  const opened = (clip: Uint8Array) => {
    const name = `clip ${++count}`;
    t.content.set(name, clip);
    return t.media.open(name);
  };

  test.each(named("video"))("%s: every picture, at its time", async (_, clip, want) => {
    const [mode, reason, count = 0, distance = 0] = want;
    await using source = await opened(await bytesOf(clip));
    const info = source.info.tracks.find(track => track.kind === "video");
    expect(info).toMatchObject({ id: "v0", width: 320, height: 180, rotation: 0, verdict: { mode } });
    expect(info?.verdict.reason).toContain(reason);
    const rendition = await source.rendition("v0");
    expect(rendition.info).toMatchObject({ width: 320, height: 180, rotation: 0 });
    const segments = await allSegments(rendition);
    const times = timesOf(segments);
    expect(times).toHaveLength(count);
    // Matroska rounds to milliseconds; a transport stream begins where it likes.
    const first = times[0] ?? Number.NaN;
    for (const [i, time] of times.entries())
      expect(Math.abs(time - first - i * distance)).toBeLessThan(0.0011);
    expect(segments.map(segment => segment.last)).toEqual(segments.map((_s, i) => i === segments.length - 1));
    // Of every picture the number is read that it shows.
    const step = rendition.info.codec === "h264" ? Math.round(framesOf(clip) / count) : 0;
    const shown = step > 0 ? shownFrames(segments).map(picture => picture.shown) : [];
    expect(shown).toEqual(step > 0 ? times.map((_t, i) => i * step) : []);
  });

  test.each(named("audio"))("%s: sound from start to end", async (_, clip, want) => {
    const [mode, reason] = want;
    await using source = await opened(await bytesOf(clip));
    const info = source.info.tracks.find(track => track.kind === "audio");
    expect(info).toMatchObject({ id: "a0", verdict: { mode } });
    expect(info?.verdict.reason).toContain(reason);
    const rendition = await source.rendition("a0");
    expect(rendition.info).toMatchObject({ codec: "opus", channels: 2 });
    const segments = await allSegments(rendition);
    const times = timesOf(segments);
    // Codecs pad the last frame, and those that overlap begin with one that is cut off: two at most.
    expect(times.length).toBeGreaterThanOrEqual(50);
    expect(times.length).toBeLessThanOrEqual(54);
    expect(times.at(-1)).toBeGreaterThanOrEqual(0.98);
    const heard = decodeOpus(segments);
    expect(onsets(heard)).toHaveLength(1);
    // A tone of 0.3 in every channel stays one, however many are mixed down.
    const middle = heard.subarray(24_000, 28_800);
    const power = Math.sqrt(middle.reduce((sum, value) => sum + value * value, 0) / middle.length);
    expect(power).toBeGreaterThan(0.1);
    expect(power).toBeLessThan(0.6);
  });

  test.each([
    ["mp4", 0, "upper right", "mirrored"],
    ["mp4", 90, "upper left", "turned by 90°"],
    ["mov", 180, "lower left", "MPEG-4 Visual"],
    ["mov", 270, "lower right", "MPEG-4 Visual"],
  ] as const)(
    "a mirrored film in %s, turned by %i°, comes the right way round",
    async (container, rotation, light, reason) => {
      // MPEG-4 Visual in QuickTime is read by the second demuxer, which has to see the same.
      const video = container === "mov" ? MPEG4 : PLAIN;
      const clip = await makeClip({ container, video: { ...video, rotation, mirrored: true } });
      await using source = await opened(clip);
      expect(source.info.tracks[0]).toMatchObject({
        rotation,
        mirrored: true,
        verdict: { mode: "transcode" },
      });
      expect(source.info.tracks[0]?.verdict.reason).toContain(reason);
      const segments = await allSegments(await source.rendition("v0"));
      const size = rotation % 180 === 0 ? { width: 320, height: 180 } : { width: 180, height: 320 };
      expect(firstPicture(segments)).toEqual({ ...size, light: [light] });
    },
  );

  test.each([
    [90, PLAIN, "upper right", "turned by 90°"],
    [90, USUAL, "upper right", "B-frames"],
    [180, PLAIN, "lower right", "turned by 180°"],
    [270, PLAIN, "lower left", "turned by 270°"],
  ] as const)("a film to be turned by %i° comes upright", async (rotation, video, light, reason) => {
    const clip = await makeClip({ container: "mp4", video: { ...video, rotation } });
    await using source = await opened(clip);
    const size = rotation === 180 ? { width: 320, height: 180 } : { width: 180, height: 320 };
    expect(source.info.tracks[0]).toMatchObject({ ...size, rotation, verdict: { mode: "transcode" } });
    expect(source.info.tracks[0]?.verdict.reason).toContain(reason);
    const rendition = await source.rendition("v0");
    expect(rendition.info).toMatchObject({ ...size, rotation: 0 });
    const segments = await allSegments(rendition);
    expect(timesOf(segments)).toHaveLength(30);
    expect(firstPicture(segments)).toEqual({ ...size, light: [light] });
  });

  test.each([
    ["ipod", "aac", "mjpeg"],
    ["ipod", "aac", "png"],
    ["mp3", "libmp3lame", "mjpeg"],
    ["flac", "flac", "png"],
    ["matroska", "aac", "mjpeg"],
  ] as const)("the cover of %s (%s, %s) is no video track", async (container, encoder, cover) => {
    const clip = await makeClip({ container, audio: [{ encoder, seconds: 1 }], cover });
    await using source = await opened(clip);
    expect(source.info.tracks.map(track => track.kind)).toEqual(["audio"]);
    expect(source.defaultTrackIds).toEqual(["a0"]);
    expect(timesOf(await allSegments(await source.rendition("a0"))).length).toBeGreaterThanOrEqual(50);
  });

  test("DV comes with every picture", async () => {
    const clip = await makeClip({
      container: "mov",
      video: {
        encoder: "dvvideo",
        frames: 25,
        rate: [25, 1],
        size: [720, 576],
      },
    });
    await using source = await opened(clip);
    expect(source.info.tracks[0]).toMatchObject({ codec: "dv", verdict: { mode: "transcode" } });
    const segments = await allSegments(await source.rendition("v0"));
    expect(shownFrames(segments).map(({ shown }) => shown)).toEqual(Array.from({ length: 25 }, (_, i) => i));
  });

  test("4K comes at 720 lines, with every picture", async () => {
    const clip = await makeClip({
      container: "mp4",
      video: { ...PLAIN, bFrames: 2, frames: 8, size: [3840, 2160] },
    });
    await using source = await opened(clip);
    expect(source.info.tracks[0]).toMatchObject({
      width: 3840,
      height: 2160,
      verdict: { mode: "transcode" },
    });
    const rendition = await source.rendition("v0");
    expect(rendition.info).toMatchObject({ id: "h264-720p", width: 1280, height: 720 });
    const segments = await allSegments(rendition);
    expect(shownFrames(segments, 64).map(({ shown }) => shown)).toEqual(
      Array.from({ length: 8 }, (_, i) => i),
    );
    expect(firstPicture(segments)).toEqual({ width: 1280, height: 720, light: ["upper left"] });
  });

  test("several languages are told apart, and each one plays", async () => {
    const languages = ["deu", "fra", "jpn"];
    const audio = languages.map(language => ({ encoder: "aac", seconds: 1, language }));
    await using source = await opened(await makeClip({ container: "mp4", audio }));
    expect(source.info.tracks.map(track => track.language)).toEqual(languages);
    expect(source.defaultTrackIds).toEqual(["a0"]);
    for (const id of ["a0", "a1", "a2"]) {
      expect(timesOf(await allSegments(await source.rendition(id)))).toHaveLength(50);
    }
  });
});
