import { CidcastError, type Clock, type Logger } from "../core/index.ts";
import { FRAME_MAX_AT_ONCE, FRAME_MAX_WAITING } from "./limits.ts";
import { encodeRun } from "./prepare/encode-run.ts";
import type { FileReference } from "./source/open-files.ts";
import { placeOf } from "./source/frame-place.ts";
import type { EncoderPool } from "./transcode/jobs/encoder-pool.ts";
import { profileOf } from "./transcode/profile.ts";
import type { Packet, StillJobSpec } from "./transcode/protocol.ts";
import type { Frame, FrameOptions, VideoTrackInfo } from "./types.ts";

/** Makes single pictures, a few at a time. */
export class Frames {
  readonly #init: { readonly pool: EncoderPool; readonly clock: Clock; readonly log: Logger };
  readonly #waiting: (() => void)[] = [];
  #atWork = 0;

  constructor(init: { readonly pool: EncoderPool; readonly clock: Clock; readonly log: Logger }) {
    this.#init = init;
  }

  /** The picture of an open file, whose reference stays the caller's. */
  async make({ file }: FileReference, options: FrameOptions): Promise<Frame> {
    const { signal, timeSeconds = 0, maxWidth, format = "jpeg", trackId, locate } = options;
    const videos = file.info.tracks.filter(track => track.kind === "video");
    const track =
      trackId === undefined
        ? (videos.find(({ verdict }) => verdict.mode !== "unplayable") ?? videos[0])
        : videos.find(({ id }) => id === trackId);
    const input = track && file.tracks.get(track.id);
    if (track === undefined || input === undefined) {
      throw new CidcastError("TRACK_NOT_FOUND", `${file.cid} has no pictures ${trackId ?? ""}`.trim());
    }
    const job = profileOf(track, input)?.spec(0);
    if (job?.kind !== "video") {
      throw new CidcastError(
        "UNSUPPORTED_MEDIA",
        `${file.cid} ${track.id}: its pictures cannot be decoded here`,
      );
    }
    const size = pictureSize(track, maxWidth);
    const last = track.durationSeconds > 0 ? Math.max(0, track.durationSeconds - 0.001) : timeSeconds;
    const atUs = Math.min(timeSeconds, last) * 1e6;
    const spec: StillJobSpec = {
      kind: "still",
      decoder: job.decoder,
      rotation: track.rotation,
      mirrored: track.mirrored,
      ...size,
      atUs,
      format,
    };
    await this.#turn();
    try {
      const [made] = await stillsOf(
        spec,
        { ...this.#init, signal: signal ?? new AbortController().signal },
        async () => {
          const packets = input.packets(error =>
            this.#init.log.debug({ cid: file.cid, err: error }, "the file is damaged here"),
          );
          return { packets, first: await packets.keyAt(atUs / 1e6) };
        },
      );
      if (made === undefined)
        throw new CidcastError("CORRUPT_MEDIA", `${file.cid} has no picture at ${timeSeconds} s`);
      const contentType = format === "jpeg" ? "image/jpeg" : "image/png";
      const frameSeconds = made.ptsUs / 1e6;
      return {
        bytes: made.data,
        contentType,
        ...size,
        timeSeconds: frameSeconds,
        cid: file.cid,
        trackId: track.id,
        ...(locate === true && { place: await placeOf(file.media, input, frameSeconds, { signal }) }),
      };
    } finally {
      this.#atWork--;
      this.#waiting.shift()?.();
    }
  }

  /** Waits for a place. `BUSY` when too many wait already. */
  async #turn(): Promise<void> {
    if (this.#atWork >= FRAME_MAX_AT_ONCE) {
      if (this.#waiting.length >= FRAME_MAX_WAITING) {
        throw new CidcastError("BUSY", "Too many pictures are being made", { retryAfterSeconds: 2 });
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#atWork++;
  }
}

type Run = Parameters<typeof encodeRun>[0];

/** Sends packets through a job that makes pictures; gives back what came out. */
async function stillsOf(
  spec: StillJobSpec,
  tools: Pick<Run, "pool" | "clock" | "signal">,
  open: () => Promise<Pick<Run, "packets" | "first">>,
): Promise<Packet[]> {
  const made: Packet[] = [];
  await encodeRun({
    ...tools,
    ...(await open()),
    spec,
    onFrames: frames => made.push(...frames),
    room: () => Promise.resolve(),
  });
  return made;
}

/** Size of a picture as displayed: square pixels, even, not larger than the track or `maxWidth`. */
export function pictureSize(
  { width, height }: Pick<VideoTrackInfo, "width" | "height">,
  maxWidth: number | undefined,
): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, (maxWidth ?? width) / Math.max(1, width));
  const even = (pixels: number): number => Math.max(2, 2 * Math.floor(Math.round(pixels * scale) / 2));
  return { width: even(width), height: even(height) };
}
