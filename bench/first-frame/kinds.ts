import { Readable } from "node:stream";
import type { CidcastNode } from "../../src/node.ts";
import { type ClipInit, makeClip } from "../../src/media/testing/clips.ts";

const SECONDS = 4;
const frames = SECONDS * 30;
const size = [1280, 720] as const;
const fast = { preset: "ultrafast" };
const aac = [{ encoder: "aac", seconds: SECONDS }];
const opus = [{ encoder: "libopus", seconds: SECONDS }];

/** A file of each kind that goes its own way to a viewer, 720p at 30 pictures a second. */
const KINDS: Readonly<Record<string, ClipInit>> = {
  "H.264, passed through": {
    container: "mp4",
    muxer: { movflags: "+faststart" },
    video: { encoder: "libx264", options: fast, frames, size },
    audio: opus,
  },
  "H.264 with B-frames, AAC": {
    container: "mp4",
    video: { encoder: "libx264", options: fast, bFrames: 2, frames, size },
    audio: aac,
  },
  "H.265, AAC": {
    container: "mp4",
    video: { encoder: "libx265", options: { ...fast, "x265-params": "log-level=none" }, frames, size },
    audio: aac,
  },
  "VP9 and Opus in WebM": {
    container: "webm",
    video: { encoder: "libvpx-vp9", options: { deadline: "realtime", "cpu-used": "8" }, frames, size },
    audio: opus,
  },
  "H.264 and AAC in MPEG-TS": {
    container: "mpegts",
    video: { encoder: "libx264", options: fast, bFrames: 2, frames, size },
    audio: aac,
  },
  "MPEG-2 and AC-3 in MPEG-PS": {
    container: "vob",
    video: { encoder: "mpeg2video", bFrames: 2, frames, size },
    audio: [{ encoder: "ac3", seconds: SECONDS }],
  },
  "sound alone, AAC": { container: "ipod", audio: aac },
};

/** A kind, and the CIDs of as many files of it: each is new to the node that measures. */
export interface KindOfFile {
  readonly name: string;
  readonly hasPictures: boolean;
  readonly cids: readonly string[];
}

/** Puts `copies` files of each kind into a node, which differ in their length alone. */
export async function addKinds(node: CidcastNode, copies: number): Promise<readonly KindOfFile[]> {
  const kinds: KindOfFile[] = [];
  for (const [name, clip] of Object.entries(KINDS)) {
    const cids: string[] = [];
    for (let copy = 0; copy < copies; copy += 1) {
      const { video } = clip;
      const longer = video === undefined ? {} : { video: { ...video, frames: video.frames + copy } };
      const audio = clip.audio?.map(each => ({ ...each, seconds: each.seconds + copy / 10 })) ?? [];
      const file = Readable.from([await makeClip({ ...clip, ...longer, audio })]);
      cids.push((await node.content.add(file, { name: `${name} ${copy}` })).cid);
    }
    kinds.push({ name, hasPictures: clip.video !== undefined, cids });
  }
  return kinds;
}
