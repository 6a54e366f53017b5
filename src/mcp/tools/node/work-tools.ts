import { ladderCodec, presetName } from "@cidcast/protocols/node-api/jobs";
import { z } from "zod";
import { CidcastError, type Principal } from "../../../core/index.ts";
import type { Prepare, PrepareJob } from "../../../media/index.ts";
import type { PeerConnection } from "../../../p2p/index.ts";
import type { Transfer, Transfers } from "../../../transfer/index.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { JsonObject, RequestContext, Tool } from "../../types.ts";
import { refText } from "./content-tools.ts";

/** Parts of the node that work on while nobody waits. Asked for late: some start after MCP, and may be off. */
export interface NodeWork {
  /** Jobs as the caller has them. */
  readonly prepare: (principal: Principal) => Prepare | undefined;
  readonly transfers: () => Transfers | undefined;
  readonly connections: () => readonly PeerConnection[] | undefined;
}

const READ = { readOnlyHint: true, openWorldHint: false } as const;
const START = { readOnlyHint: false, destructiveHint: false, idempotentHint: true } as const;
const CANCEL = { readOnlyHint: false, destructiveHint: true, idempotentHint: false } as const;

const id = z.string().min(1).max(64);
const job = z.looseObject({ id: z.string(), state: z.string(), percent: z.number() });
const transfer = z.looseObject({ id: z.string(), state: z.string(), bytes: z.number() });

/** Tools over jobs, transfers and peers. Transfers are the node's own: a tenant has none of them. */
export function workTools(work: NodeWork): Tool[] {
  return [...jobTools(work), ...transferTools(work), peersTool(work)];
}

function jobTools({ prepare }: NodeWork): Tool[] {
  const jobsOf = ({ principal }: RequestContext): Prepare => there(prepare(principal), "Media");
  return [
    defineTool({
      name: "media_prepare",
      title: "Prepare media",
      description:
        "Make the renditions of a media file once, to be played at any quality; gives a job to look at with job_status",
      scopes: ["media"],
      annotations: START,
      input: z.object({
        ref: refText,
        presets: z.array(presetName).min(1).optional(),
        codec: ladderCodec.optional(),
      }),
      output: job,
      run: async ({ ref, presets, codec }, context) => ({
        structured: jobOf(await jobsOf(context).submit(ref, { presets, codec, signal: context.signal })),
      }),
    }),
    defineTool({
      name: "job_status",
      title: "Status of a job",
      description: "How far a job of media_prepare is, and what came of it: the CID of the prepared content",
      scopes: ["media"],
      annotations: READ,
      input: z.object({ job_id: id }),
      output: job,
      run: async ({ job_id }, context) => ({ structured: jobOf(await jobsOf(context).job(job_id)) }),
    }),
    defineTool({
      name: "job_cancel",
      title: "Cancel a job",
      description: "End a job of media_prepare that is not over; what it has made is dropped",
      scopes: ["media"],
      annotations: CANCEL,
      input: z.object({ job_id: id }),
      output: job,
      run: async ({ job_id }, context) => ({ structured: jobOf(await jobsOf(context).cancel(job_id)) }),
    }),
  ];
}

function transferTools({ transfers }: NodeWork): Tool[] {
  const transfersOf = ({ principal }: RequestContext): Transfers => {
    requireOwner(principal, "transfers content");
    return there(transfers(), "Transfers");
  };
  return [
    defineTool({
      name: "transfer",
      title: "Transfer content",
      description:
        "Bring content here from peers (PeerId or multiaddr), nodes or gateways (http, ws); gives a transfer to look at with transfer_status",
      scopes: ["peers"],
      annotations: { ...START, openWorldHint: true },
      input: z.object({
        cid: z.string().min(1).max(512),
        from: z.array(z.string().min(1).max(2048)).min(1).max(32),
      }),
      output: transfer,
      run: async ({ cid, from }, context) => ({
        structured: transferOf(await transfersOf(context).begin({ cid, from })),
      }),
    }),
    defineTool({
      name: "transfer_status",
      title: "Status of a transfer",
      description: "How far a transfer is, by which way, and every way that failed",
      scopes: ["peers"],
      annotations: READ,
      input: z.object({ transfer_id: id }),
      output: transfer,
      run: async ({ transfer_id }, context) => ({
        structured: transferOf(await transfersOf(context).transfer(transfer_id)),
      }),
    }),
  ];
}

function peersTool({ connections }: NodeWork): Tool {
  return defineTool({
    name: "peers",
    title: "Connected peers",
    description: "Peers this node is connected to over libp2p",
    scopes: ["peers"],
    annotations: READ,
    input: z.object({}),
    output: z.object({
      peers: z.array(z.looseObject({ peer_id: z.string(), address: z.string(), direction: z.string() })),
    }),
    run: async () => ({
      structured: {
        peers: there(connections(), "libp2p").map(({ peerId, address, direction, openedAtMs }) => ({
          peer_id: peerId,
          address,
          direction,
          connected_at: new Date(openedAtMs).toISOString(),
        })),
      },
    }),
  });
}

/** `FORBIDDEN` for tenants. */
function requireOwner({ tenantId }: Principal, what: string): void {
  if (tenantId !== undefined) throw new CidcastError("FORBIDDEN", `Only the node's owner ${what}`);
}

function there<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new CidcastError("FEATURE_DISABLED", `${name} is off on this node`);
  return part;
}

function jobOf({ id: jobId, cid, state, progress, result, error }: PrepareJob): JsonObject {
  return {
    id: jobId,
    cid,
    state,
    percent: progress.percent,
    ...(progress.etaSeconds !== undefined && { eta_seconds: progress.etaSeconds }),
    ...(result !== undefined && { root: result.root }),
    ...(error !== undefined && { error }),
  };
}

function transferOf(found: Transfer): JsonObject {
  const {
    id: transferId,
    cid,
    state,
    blocks,
    bytes,
    totalBytes,
    rung,
    source,
    attempts,
    code,
    message,
  } = found;
  return {
    id: transferId,
    cid,
    state,
    blocks,
    bytes,
    ...(totalBytes !== undefined && { total_bytes: totalBytes }),
    ...(rung !== undefined && { rung }),
    ...(source !== undefined && { source }),
    attempts: attempts.map(attempt => ({
      rung: attempt.rung,
      source: attempt.source,
      code: attempt.code,
      message: attempt.message,
    })),
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
  };
}
