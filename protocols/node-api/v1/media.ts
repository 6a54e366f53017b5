import { z } from "zod";
import { MAX_CID_LENGTH } from "./schema.ts";

/** Captions, pictures and what else belongs to one piece of media. See spec.md beside this file. */

/** Widest picture that is made of a frame, pixels. */
export const MAX_FRAME_WIDTH = 3840;

/** Path of what belongs to one piece of media. */
export const mediaParams = z.object({ cid: z.string().min(1).max(MAX_CID_LENGTH) });
/** Path of a caption file that is attached to media. */
export const attachedParams = mediaParams.extend({ captions: z.string().min(1).max(MAX_CID_LENGTH) });
/** Query of `PUT /api/v0/captions/<cid>/<captions>`. */
export const attachQuery = z.strictObject({
  language: z.string().max(64).optional().describe("BCP 47, for instance `de` or `pt-BR`."),
  label: z.string().max(256).optional().describe("For people, where the language is not enough."),
});
/** Captions of media. */
export const captionTrackBody = z.object({
  id: z.string(),
  cid: z.string().describe("The file that the cues lie in."),
  format: z.enum(["webvtt", "srt", "tx3g", "wvtt", "matroska"]),
  language: z.string().optional(),
  label: z.string().optional(),
});
export type CaptionTrackBody = z.output<typeof captionTrackBody>;
/** Answer of `GET /api/v0/captions/<cid>`. */
export const captionsResult = z.object({
  captions: z.array(captionTrackBody).readonly(),
  chapters: z.array(z.object({ startSeconds: z.number(), title: z.string() })).readonly(),
  tags: z.record(z.string(), z.string()),
});
export type CaptionsResult = z.output<typeof captionsResult>;
/** Query of `GET /api/v0/cues/<cid>`. */
export const cuesQuery = z.strictObject({
  track: z
    .string()
    .min(1)
    .max(MAX_CID_LENGTH + 1)
    .describe("`id` of the captions."),
  from: z.coerce.number().min(0).optional().describe("Seconds: only cues that are on after it."),
  until: z.coerce.number().min(0).optional().describe("Seconds: only cues that begin before it."),
  format: z.enum(["json", "vtt"]).default("json"),
});
/** Answer of `GET /api/v0/cues/<cid>`. */
export const cuesResult = z.object({
  track: captionTrackBody,
  cues: z
    .array(
      z.object({
        startSeconds: z.number(),
        endSeconds: z.number(),
        text: z.string(),
        from: z.number().int().describe("First byte of the cue in the file of its track."),
        to: z.number().int().describe("The byte after its last."),
        sha256: z.string().describe("Of those bytes, hex."),
      }),
    )
    .readonly(),
});
export type CuesResult = z.output<typeof cuesResult>;
/** Query of `GET /api/v0/frame/<cid>`. */
export const frameQuery = z.strictObject({
  time: z.coerce.number().min(0).max(1e9).default(0).describe("Seconds."),
  width: z.coerce
    .number()
    .int()
    .min(16)
    .max(MAX_FRAME_WIDTH)
    .optional()
    .describe("At most that many pixels."),
  format: z.enum(["jpeg", "png"]).default("jpeg"),
  track: z.string().max(64).optional().describe("`id` of a video track; default the first that plays."),
});

/** Answer of `GET /api/v0/storyboard/<cid>`. */
export const storyboardResult = z.object({
  intervalSeconds: z.number().describe("From one picture to the next; the first is of 0."),
  count: z.number().int(),
  columns: z.number().int(),
  rows: z.number().int(),
  width: z.number().int().describe("Of one picture, pixels."),
  height: z.number().int(),
  sheets: z
    .array(z.string())
    .readonly()
    .describe("CIDs of JPEGs, each with `columns` × `rows` pictures at most."),
});
export type StoryboardResult = z.output<typeof storyboardResult>;
/** Query of `GET /api/v0/storyboard/<cid>`. */
export const storyboardQuery = z.strictObject({ format: z.enum(["json", "vtt"]).default("json") });
/** Path of a sheet of a storyboard. */
export const sheetParams = mediaParams.extend({ sheet: z.coerce.number().int().min(0).max(10_000) });
