import type { FastifyReply, FastifyRequest } from "fastify";
import { CidcastError } from "../../core/index.ts";
import { pathOf } from "../routing/request.ts";
import type { OriginPolicy } from "./origins.ts";

/** Where any page may read: content is public to whoever knows its CID and may ask at all. */
const PUBLIC_PREFIX = "/ipfs/";
/** Longest time a browser remembers a preflight, seconds. */
const PREFLIGHT_SECONDS = 600;
/** Answer headers that pages of other origins may see. */
const EXPOSED =
  "Accept-Patch, Accept-Ranges, Content-Length, Content-Range, ETag, Link, Location, Mcp-Session-Id, Retry-After, Server-Timing, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, X-Chunked-Output, X-Ipfs-Path, X-Ipfs-Roots, X-Stream-Output";

/** Request headers that pages of other origins may set. */
const ASKED =
  "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Last-Event-ID, Mcp-Protocol-Version, Mcp-Session-Id, Range, Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, User-Agent, X-Requested-With, X-Tenant-ID";
/** Methods of the gateway, where any page may read. */
const OPEN_METHODS = "GET, HEAD, OPTIONS";

/** Sets CORS headers; true when the request was a preflight and is answered. */
export function answerCors(request: FastifyRequest, reply: FastifyReply, policy: OriginPolicy): boolean {
  const { origin } = request.headers;
  const open = pathOf(request).startsWith(PUBLIC_PREFIX);
  if (open) {
    reply
      .header("access-control-allow-origin", "*")
      .header("access-control-allow-methods", OPEN_METHODS)
      .header("access-control-allow-headers", ASKED)
      .header("access-control-expose-headers", EXPOSED);
  } else if (origin !== undefined && policy.isConfigured(origin)) {
    reply
      .header("access-control-allow-origin", origin)
      .header("access-control-expose-headers", EXPOSED)
      .header("vary", "Origin");
  }
  if (request.method !== "OPTIONS") return false;
  const isPreflight = origin !== undefined && request.headers["access-control-request-method"] !== undefined;
  // What any page may read tells so to everybody who asks.
  if (!isPreflight && !open) return false;
  if (!open && (origin === undefined || !policy.isConfigured(origin))) {
    throw new CidcastError("ORIGIN_NOT_ALLOWED", "Pages of this origin may not use the node's API");
  }
  void reply
    .code(204)
    .header("access-control-allow-methods", open ? OPEN_METHODS : "GET, HEAD, POST, PUT, PATCH, DELETE")
    .header("access-control-allow-headers", ASKED)
    .header("access-control-max-age", PREFLIGHT_SECONDS)
    .send();
  return true;
}
