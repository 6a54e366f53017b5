// `node scripts/make-samples.ts`: draws and encodes the clips in samples/. They are committed; run this only to change them.
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ClipInit, writeClip } from "./make-samples/encode.ts";

const DIRECTORY = join(dirname(import.meta.dirname), "samples");

/** Largest sample, bytes: they are part of every clone. */
const MAX_SAMPLE_BYTES = 3_000_000;

const common = { size: { width: 1280, height: 720 }, frameRate: 30, seconds: 24 } as const;

/** No B-frames, Opus, index at the front: every frame can be sent as it is. */
const passthrough: ClipInit = {
  ...common,
  path: join(DIRECTORY, "sample-720p.mp4"),
  video: {
    profile: "high",
    options: {
      preset: "slow",
      crf: "24",
      maxrate: "850k",
      bufsize: "850k",
      g: "30",
      keyint_min: "30",
      sc_threshold: "0",
      bf: "0",
      "x264-params": "open-gop=0:rc-lookahead=20",
    },
  },
  audio: { encoder: "libopus", bitrateBps: 64_000n },
  muxer: { movflags: "+faststart" },
};

/** The way most files are: High profile with B-frames and longer GOPs, AAC, index at the end. */
const realWorld: ClipInit = {
  ...common,
  path: join(DIRECTORY, "sample-real-world.mp4"),
  video: {
    profile: "high",
    options: {
      preset: "slow",
      crf: "24",
      maxrate: "800k",
      bufsize: "1600k",
      g: "150",
      bf: "3",
      "x264-params": "b-adapt=0:b-pyramid=normal",
    },
  },
  audio: { encoder: "aac", bitrateBps: 96_000n },
  muxer: {},
};

mkdirSync(DIRECTORY, { recursive: true });
for (const clip of [passthrough, realWorld]) {
  await writeClip(clip);
  const { size } = statSync(clip.path);
  if (size > MAX_SAMPLE_BYTES)
    throw new Error(`${clip.path} has ${size} bytes, more than ${MAX_SAMPLE_BYTES}`);
  console.log(`${clip.path}: ${size} bytes`);
}
