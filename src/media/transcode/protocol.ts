import { z } from "zod";
import { demuxFromChild, demuxToChild } from "../demux/library/protocol.ts";

/** Messages between the node and a transcode child. Times are microseconds of the media. */

/** Bytes, as structured cloning carries them. */
const bytesSchema = z.custom<Uint8Array>(value => value instanceof Uint8Array);

/** How the child decodes. */
const decoderSchema = z.object({
  /** Codec as in our records. */
  codec: z.string(),
  /** The demuxer's name for it, which tells the flavours of PCM apart. */
  flavour: z.string(),
  /** Codec with profile and level as in RFC 6381. */
  codecString: z.string(),
  /** Setup bytes of the codec. */
  description: bytesSchema.optional(),
  /** The codec in FFmpeg's numbers, where its demuxer has read the file. */
  libraryCodec: z.object({ id: z.number(), tag: z.number(), bitsPerSample: z.number() }).optional(),
  width: z.number(),
  height: z.number(),
  channels: z.number(),
  sampleRate: z.number(),
});

const videoJobSchema = z.object({
  kind: z.literal("video"),
  decoder: decoderSchema,
  /** Pictures before this time are decoded, not shown. */
  fromUs: z.number(),
  /** Size of the pictures that come out, turned. */
  width: z.number(),
  height: z.number(),
  /** Degrees clockwise by which they are turned. */
  rotation: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]),
  /** Mirrored left to right once they are turned. */
  mirrored: z.boolean(),
  /** Pictures per second for rate control. */
  frameRate: z.number(),
  /** Pictures nearer to the one before than this are left out. */
  minFrameGapUs: z.number(),
  gopUs: z.number(),
  maxBitrateBps: z.number(),
});

const audioJobSchema = z.object({
  kind: z.literal("audio"),
  decoder: decoderSchema,
  fromUs: z.number(),
  /** Seconds of media per second of sound that comes out, 0.5 to 2. */
  tempo: z.number(),
  bitrateBps: z.number(),
});

/** One of the encodings that a ladder makes of the same pictures. */
const rungSchema = z.object({
  codec: z.enum(["h264", "vp9", "av1"]),
  width: z.number(),
  height: z.number(),
  /** Pictures per second for rate control. */
  frameRate: z.number(),
  /** Pictures of one second at most; 0: all of them. */
  maxFramesPerSecond: z.number(),
  maxBitrateBps: z.number(),
});

/** Several encodings of one stretch of pictures, which are decoded once; each segment comes from an encoder of its own. */
const ladderJobSchema = z.object({
  kind: z.literal("ladder"),
  decoder: decoderSchema,
  /** Pictures before this time are decoded, not encoded. */
  fromUs: z.number(),
  /** The job ends at the first picture at or after this time. */
  untilUs: z.number(),
  rotation: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]),
  /** Mirrored left to right once they are turned. */
  mirrored: z.boolean(),
  gopUs: z.number(),
  segmentUs: z.number(),
  rungs: z.array(rungSchema).min(1),
});

const pictureShape = {
  decoder: decoderSchema,
  /** Size of the picture that comes out, turned. */
  width: z.number(),
  height: z.number(),
  rotation: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]),
  mirrored: z.boolean(),
};

/** The picture that is shown at a time, as a file of its own. */
const stillJobSchema = z.object({
  kind: z.literal("still"),
  ...pictureShape,
  atUs: z.number(),
  format: z.enum(["jpeg", "png"]),
});

/** Pictures of keyframes, row by row on sheets: each packet is one. A sheet comes out with its number as its time. */
const sheetJobSchema = z.object({
  kind: z.literal("sheet"),
  ...pictureShape,
  columns: z.number(),
  rows: z.number(),
});

const jobSchema = z.discriminatedUnion("kind", [
  videoJobSchema,
  audioJobSchema,
  ladderJobSchema,
  stillJobSchema,
  sheetJobSchema,
]);

/** One encoded frame, in either direction; `rung` tells which encoding of a ladder it belongs to. */
const packetSchema = z.object({
  data: bytesSchema,
  ptsUs: z.number(),
  key: z.boolean(),
  rung: z.number().optional(),
});

export const toChildSchema = z.discriminatedUnion("type", [
  /** Starts a job; what was under way is dropped. */
  z.object({ type: z.literal("open"), job: z.number(), spec: jobSchema }),
  /** Packets in decode order; each batch is acknowledged once it is worked off. */
  z.object({ type: z.literal("packets"), job: z.number(), packets: z.array(packetSchema) }),
  /** No more packets: what is still inside comes out. */
  z.object({ type: z.literal("end"), job: z.number() }),
  /** Drops the job. */
  z.object({ type: z.literal("close"), job: z.number() }),
  /** How many pictures are left out from now on. */
  z.object({
    type: z.literal("pace"),
    job: z.number(),
    minFrameGapUs: z.number(),
    skip: z.enum(["none", "noref", "nokey"]),
  }),
  /** Asks for a sign of life. */
  z.object({ type: z.literal("ping") }),
  ...demuxToChild,
]);

export const fromChildSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), encoder: z.string() }),
  /** No encoder could be loaded; the child ends. */
  z.object({ type: z.literal("missing"), reason: z.string() }),
  z.object({ type: z.literal("frames"), job: z.number(), frames: z.array(packetSchema) }),
  z.object({ type: z.literal("ack"), job: z.number() }),
  z.object({ type: z.literal("ended"), job: z.number() }),
  /** The job failed; the child lives. */
  z.object({ type: z.literal("failed"), job: z.number(), message: z.string() }),
  z.object({ type: z.literal("pong") }),
  ...demuxFromChild,
]);

export type VideoJobSpec = z.infer<typeof videoJobSchema>;
export type AudioJobSpec = z.infer<typeof audioJobSchema>;
export type LadderJobSpec = z.infer<typeof ladderJobSchema>;
export type StillJobSpec = z.infer<typeof stillJobSchema>;
export type SheetJobSpec = z.infer<typeof sheetJobSchema>;
export type LadderRung = z.infer<typeof rungSchema>;
/** A job that a viewer waits for: one encoding. */
export type LiveJobSpec = VideoJobSpec | AudioJobSpec;
export type JobSpec = z.infer<typeof jobSchema>;
export type DecoderSpec = z.infer<typeof decoderSchema>;
export type Packet = z.infer<typeof packetSchema>;
export type ToChild = z.infer<typeof toChildSchema>;
export type FromChild = z.infer<typeof fromChildSchema>;
