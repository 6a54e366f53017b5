import { CidcastError } from "../../core/index.ts";
import {
  FRAME_KEY,
  type Media,
  type MediaInfo,
  type MediaSource,
  type RenditionSource,
  type Segment,
  type TrackInfo,
} from "../../media/index.ts";

const FPS = 30;
const OPUS_FRAME_SECONDS = 0.02;
const VERDICT = { mode: "passthrough", reason: "made for a test" } as const;

/** Media made for tests: H.264 with a keyframe each second and Opus, or what is asked for. */
export interface FakeMedia extends Pick<Media, "open"> {
  readonly openSources: () => number;
}

export interface FakeMediaInit {
  readonly durationSeconds?: number;
  readonly kinds?: readonly ("video" | "audio")[];
  /** Bytes of a keyframe. */
  readonly keyBytes?: number;
  /** Called before each segment: may wait, or throw. */
  readonly before?: (trackId: string, startSeconds: number) => Promise<void> | void;
}

/** `unknown` is not there; any other CID is. */
export function fakeMedia(init: FakeMediaInit = {}): FakeMedia {
  const durationSeconds = init.durationSeconds ?? 4;
  const kinds = init.kinds ?? ["video", "audio"];
  let sources = 0;
  const info: MediaInfo = {
    container: "fake",
    durationSeconds,
    playable: true,
    notes: [],
    tracks: kinds.map(kind => trackInfo(kind, durationSeconds)),
  };
  return {
    openSources: () => sources,
    async open(cid, options) {
      options?.signal?.throwIfAborted();
      if (cid === "unknown") throw new CidcastError("CONTENT_NOT_FOUND", "nobody has unknown");
      sources++;
      let closed = false;
      const close = async (): Promise<void> => {
        if (!closed) sources--;
        closed = true;
      };
      const source: MediaSource = {
        cid,
        info,
        defaultTrackIds: info.tracks.map(track => track.id),
        rendition: async id => rendition(id, init, durationSeconds),
        close,
        [Symbol.asyncDispose]: close,
      };
      return source;
    },
  };
}

function rendition(id: string, init: FakeMediaInit, durationSeconds: number): RenditionSource {
  const kind = id.startsWith("v") ? "video" : "audio";
  const at = async (seconds: number): Promise<Segment | undefined> => {
    const start = Math.max(0, Math.floor(seconds));
    if (start >= durationSeconds) return undefined;
    await init.before?.(id, start);
    return fakeSegment({ id, start, durationSeconds, keyBytes: init.keyBytes ?? 3000 });
  };
  return {
    info: {
      id: "source",
      kind,
      codec: kind === "video" ? "h264" : "opus",
      width: 0,
      height: 0,
      rotation: 0,
      frameRate: kind === "video" ? FPS : undefined,
      channels: 2,
      bitrateBps: kind === "video" ? 800_000 : 64_000,
      verdict: VERDICT,
    },
    segmentAt: at,
    segmentAfter: segment => at(segment.endSeconds),
  };
}

/** One second of a made track. */
export function fakeSegment(init: {
  readonly id: string;
  readonly start: number;
  readonly durationSeconds: number;
  readonly keyBytes: number;
  /** Bytes of any other picture. */
  readonly frameBytes?: number | undefined;
}): Segment {
  const video = init.id.startsWith("v");
  const step = video ? 1 / FPS : OPUS_FRAME_SECONDS;
  const end = Math.min(init.start + 1, init.durationSeconds);
  const frameCount = Math.round((end - init.start) / step);
  const frames = Array.from({ length: frameCount }, (_, i) =>
    video ? h264Frame(i === 0, i === 0 ? init.keyBytes : (init.frameBytes ?? 200)) : Buffer.alloc(100, i),
  );
  const data = new SharedArrayBuffer(frames.reduce((sum, frame) => sum + frame.length, 0));
  const offsets = new Uint32Array(new SharedArrayBuffer((frameCount + 1) * 4));
  const ptsSeconds = new Float64Array(new SharedArrayBuffer(frameCount * 8));
  const flags = new Uint8Array(new SharedArrayBuffer(frameCount));
  let at = 0;
  for (const [i, frame] of frames.entries()) {
    new Uint8Array(data).set(frame, at);
    offsets[i] = at;
    ptsSeconds[i] = init.start + i * step;
    flags[i] = !video || i === 0 ? FRAME_KEY : 0;
    at += frame.length;
  }
  offsets[frameCount] = at;
  return {
    key: `${init.id}/${init.start}`,
    index: init.start,
    startSeconds: init.start,
    endSeconds: end,
    startsWithKey: true,
    last: end >= init.durationSeconds,
    frameCount,
    data,
    offsets,
    ptsSeconds,
    flags,
  };
}

/** NAL units after their lengths; a keyframe has SPS and PPS before it. */
export function h264Frame(isKey: boolean, bytes: number): Buffer {
  const nal = (type: number, length: number): Buffer => {
    const out = Buffer.alloc(4 + length, 0x55);
    out.writeUInt32BE(length);
    out[4] = 0x60 | type;
    return out;
  };
  return isKey ? Buffer.concat([nal(7, 20), nal(8, 6), nal(5, bytes)]) : nal(1, bytes);
}

function trackInfo(kind: "video" | "audio", durationSeconds: number): TrackInfo {
  const base = {
    verdict: VERDICT,
    codecString: undefined,
    durationSeconds,
    bitrateBps: undefined,
    language: undefined,
  };
  if (kind === "audio") {
    return { ...base, id: "a0", kind, codec: "opus", channels: 2, sampleRate: 48_000 };
  }
  return {
    ...base,
    id: "v0",
    kind,
    codec: "h264",
    width: 320,
    height: 180,
    codedWidth: 320,
    codedHeight: 180,
    rotation: 0,
    mirrored: false,
    frameRate: FPS,
    bFrames: false,
  };
}
