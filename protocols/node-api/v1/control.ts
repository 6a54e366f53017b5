import { z } from "zod";
import { cidText, MAX_MULTIADDR_LENGTH, MAX_NAME_LENGTH, nameText } from "./schema.ts";

/** What is sent to the control plane, `/api/v0/mcp/*` and `/api/v0/webrtc/*`. See spec.md, Control. */

/** Longest benchmark, seconds: its request waits so long. */
export const MAX_BENCHMARK_SECONDS = 300;

const controlQuality = z.enum(["auto", "very_low", "low", "medium", "high", "very_high"]);

/** Body of `POST /api/v0/mcp/webrtc/stream`. What its clients send beside is passed over: it has no meaning here. */
export const controlStreamBody = z.object({ cid: cidText, quality: controlQuality.default("auto") });

/**
 * Body of `POST /api/v0/mcp/webrtc/benchmark`. Where reports are kept is the node's to say: `output_dir`, which clients send,
 * means nothing.
 */
export const controlBenchmarkBody = z.object({
  cid: cidText,
  duration: z.number().positive().max(MAX_BENCHMARK_SECONDS).default(60).describe("Seconds."),
  format: z.enum(["json", "html", "csv"]).default("json"),
});
/** Id of a benchmark in an address. */
export const benchmarkParams = z.object({ id: z.string().regex(/^bench_[0-9a-f-]{36}$/) });

/** Bodies of `/api/v0/mcp/ipfs/*`: CIDs go by two names. */
export const controlCidBody = z
  .object({ cid: cidText.optional(), hash: cidText.optional(), name: nameText.optional() })
  .refine(body => (body.cid ?? body.hash) !== undefined, "cid is missing");
/** Body of `POST /api/v0/mcp/ipfs/add/json`. */
export const controlAddJsonBody = z.object({
  content: z.string(),
  name: nameText.optional(),
  filename: nameText.optional(),
});
/** Body of `POST /api/v0/mcp/ipfs/swarm/connect`. */
export const controlConnectBody = z
  .object({
    address: z.string().min(1).max(MAX_MULTIADDR_LENGTH).optional(),
    peer_addr: z.string().min(1).max(MAX_MULTIADDR_LENGTH).optional(),
  })
  .refine(body => (body.address ?? body.peer_addr) !== undefined, "address is missing");

/** Quality as dashboards send it: 0 to 100. */
const dashboardQuality = z.number().int().min(0).max(100);
/** Body of `POST /api/v0/webrtc/stream`. */
export const dashboardStreamBody = z.object({ cid: cidText, quality: dashboardQuality.default(80) });
/** Body of `POST /api/v0/webrtc/quality/{id}`. */
export const dashboardQualityBody = z.object({ quality: dashboardQuality });
/** Query of `GET /api/v0/webrtc/player`. */
export const dashboardPlayerQuery = z.object({
  connection_id: z.string().max(MAX_NAME_LENGTH).optional(),
  content_cid: cidText.optional(),
});

/** Body of `POST /api/v0/mcp/webrtc/connections/quality`. */
export const controlQualityBody = z.object({
  connection_id: z.string().min(1).max(MAX_NAME_LENGTH),
  quality: controlQuality,
});
