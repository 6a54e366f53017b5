import { z } from "zod";

/** Messages between the node and a child that demuxes. Times are microseconds from the start of the media. */

/** Bytes, as structured cloning carries them. */
const bytesSchema = z.custom<Uint8Array>(value => value instanceof Uint8Array);

export const demuxToChild = [
  /** Opens a file of `size` bytes, which the child reads through `demux-read`. */
  z.object({
    type: z.literal("demux-open"),
    request: z.number(),
    format: z.string(),
    searched: z.boolean(),
    size: z.number(),
  }),
  /** Bytes that were asked for; without data: they cannot be had. */
  z.object({ type: z.literal("demux-bytes"), read: z.number(), data: bytesSchema.optional() }),
  /** Looks for a packet of a track; it and those after it are the answer. */
  z.object({
    type: z.literal("demux-find"),
    request: z.number(),
    cursor: z.number(),
    track: z.number(),
    /** `order`: the last one decoded at or before a time, rather than shown. */
    how: z.enum(["first", "at", "key", "order"]),
    atUs: z.number(),
    maxFrameBytes: z.number(),
  }),
  /** The packets after those that the cursor gave last. */
  z.object({ type: z.literal("demux-next"), request: z.number(), cursor: z.number() }),
  z.object({ type: z.literal("demux-drop"), cursor: z.number() }),
  z.object({ type: z.literal("demux-close") }),
] as const;

const trackSchema = z.object({
  /** Its number in the file. */
  index: z.number(),
  kind: z.enum(["video", "audio"]),
  /** FFmpeg's name and number of the codec. */
  codec: z.string(),
  codecId: z.number(),
  codecTag: z.number(),
  codecString: z.string().optional(),
  /** FFmpeg has a decoder for it, and knows how to set it up. */
  decodable: z.boolean(),
  description: bytesSchema.optional(),
  bitsPerSample: z.number(),
  durationUs: z.number(),
  bitrateBps: z.number(),
  language: z.string().optional(),
  width: z.number(),
  height: z.number(),
  pixelAspect: z.number(),
  rotation: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]),
  mirrored: z.boolean(),
  /** 0: unknown. */
  frameRate: z.number(),
  /** Pictures are not shown in the order in which they are decoded. */
  reordered: z.boolean(),
  channels: z.number(),
  sampleRate: z.number(),
});

const packetSchema = z.object({
  data: bytesSchema,
  ptsUs: z.number(),
  /** When it is decoded: tells packets of pictures apart and puts them in order. */
  dtsUs: z.number(),
  durationUs: z.number(),
  key: z.boolean(),
  /** Where it begins in the file, in bytes, where the demuxer knows. */
  position: z.number().optional(),
});

export const demuxFromChild = [
  z.object({ type: z.literal("demux-read"), read: z.number(), start: z.number(), end: z.number() }),
  z.object({
    type: z.literal("demux-opened"),
    request: z.number(),
    tracks: z.array(trackSchema),
    pictures: z.number(),
  }),
  z.object({
    type: z.literal("demux-packets"),
    request: z.number(),
    packets: z.array(packetSchema),
    /** No more come after these; `damage` says why, where that is not the end of the file. */
    ended: z.boolean(),
    damage: z.string().optional(),
  }),
  z.object({ type: z.literal("demux-failed"), request: z.number(), message: z.string() }),
] as const;

const toChildSchema = z.discriminatedUnion("type", demuxToChild);
const fromChildSchema = z.discriminatedUnion("type", demuxFromChild);

export type DemuxToChild = z.infer<typeof toChildSchema>;
export type DemuxFromChild = z.infer<typeof fromChildSchema>;
export type FoundTrack = z.infer<typeof trackSchema>;
export type FoundPacket = z.infer<typeof packetSchema>;

export function isDemux(message: { readonly type: string }): message is DemuxToChild {
  return message.type.startsWith("demux-");
}

export function isFromDemux(message: { readonly type: string }): message is DemuxFromChild {
  return message.type.startsWith("demux-");
}
