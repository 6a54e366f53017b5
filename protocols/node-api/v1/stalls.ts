import { z } from "zod";

const nullable = z.number().nullable();

/** A decision on a viewer's quality, or something that befell it. Times in seconds since 1970, loss in percent. */
export const stallEntry = z.object({
  time: z.number(),
  event: z.string().describe("`start up down chosen refused pictures_paused skipping buffering late …`"),
  from: z.string().nullable(),
  to: z.string().nullable(),
  reason: z.string().describe("`delay loss remb probe estimate hint viewer limit supply cpu trial`"),
  estimate_bps: z.number(),
  packet_loss: z.number(),
  rtt_ms: nullable,
  queue_ms: z.number().describe("Delay of the path above its least."),
  buffered_seconds: z.number(),
  supply: nullable.describe("Seconds of media that came each second; null: nothing had to be waited for."),
  lag_ms: z.number().describe("How late the node's own media thread was."),
});

/** Why a viewer's session stalls. */
export const stallReport = z.object({
  pc_id: z.string(),
  cid: z.string(),
  state: z.string(),
  cause: z.enum(["none", "network", "supply", "transcode", "cpu", "viewer"]),
  summary: z.string().describe("The cause in one line, for people."),
  rung: z.string().nullable(),
  estimate_bps: z.number(),
  packet_loss: z.number(),
  rtt_ms: nullable,
  queue_ms: z.number(),
  buffered_seconds: z.number(),
  stalled_seconds: z.number(),
  played_seconds: z.number(),
  timeline: z.array(stallEntry).describe("Oldest first."),
});
export type StallReportBody = z.output<typeof stallReport>;

/** Answer of `GET /api/v0/why-stalled`: every viewer. */
export const stallReports = z.object({ sessions: z.array(stallReport) });
