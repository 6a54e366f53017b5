import { z } from "zod";
import { cidText } from "./schema.ts";

/** Jobs that make prepared ladders. See spec.md beside this file. */

/** Name of a preset of prepared content. */
export const presetName = z.enum(["very_low", "low", "medium", "high", "very_high"]);

/** Codec that a ladder's pictures are encoded in. */
export const ladderCodec = z.enum(["h264", "vp9", "av1"]);

/** Body of `POST /api/v0/prepare`. */
export const prepareBody = z.strictObject({
  cid: cidText,
  presets: z
    .array(presetName)
    .min(1)
    .max(5)
    .optional()
    .describe("Sizes to make, fitted to the source; without it all that are not larger than the source."),
  codec: ladderCodec
    .optional()
    .describe(
      "H.264 plays everywhere; VP9 and AV1 need less, take longer, and have pictures that can be left out.",
    ),
});
/** Answer of `POST /api/v0/prepare`. */
export const prepareResult = z.object({ jobId: z.string() });
export type PrepareResult = z.output<typeof prepareResult>;

/** The path of a job. */
export const jobParams = z.object({ id: z.string().min(1).max(64) });
/** A job that makes a prepared ladder. */
export const jobBody = z.object({
  id: z.string(),
  cid: cidText,
  presets: z.array(presetName).readonly().optional(),
  codec: ladderCodec.optional(),
  owner: z.string().optional().describe("The tenant whose job it is; absent: the node's own."),
  state: z.enum(["queued", "running", "done", "failed", "cancelled"]),
  progress: z.object({
    percent: z.number().min(0).max(100),
    fps: z.number().describe("Pictures of the source worked off per second."),
    etaSeconds: z.number().optional().describe("Absent before the pace tells."),
  }),
  result: z
    .object({
      root: cidText.describe("The media manifest."),
      signature: z.string().optional().describe("CID that holds this node's signature of it."),
      bytes: z.number().optional().describe("Bytes of all segments."),
    })
    .optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  createdAtMs: z.number(),
  endedAtMs: z.number().optional(),
});
export type JobBody = z.output<typeof jobBody>;
/** Answer of `GET /api/v0/jobs`. */
export const jobsResult = z.object({ jobs: z.array(jobBody).readonly() });
