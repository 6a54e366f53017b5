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
  "Accept-Patch, Accept-Ranges, Content-Length, Content-Range, ETag, Link, Location, Mcp-Session-Id, Retry-After, X-Ipfs-Path";

/** Request headers that pages of other origins may set. */
const ASKED =
  "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Last-Event-ID, Mcp-Protocol-Version, Mcp-Session-Id, Range, X-Tenant-ID";

/** Sets CORS headers; true when the request was a preflight and is answered. */
export function answerCors(request: FastifyRequest, reply: FastifyReply, policy: OriginPolicy): boolean {
  const { origin } = request.headers;
  const open = pathOf(request).startsWith(PUBLIC_PREFIX);
  if (open) {
    reply.header("access-control-allow-origin", "*").header("access-control-expose-headers", EXPOSED);
  } else if (origin !== undefined && policy.isConfigured(origin)) {
    reply
      .header("access-control-allow-origin", origin)
      .header("access-control-expose-headers", EXPOSED)
      .header("vary", "Origin");
  }
  if (request.method !== "OPTIONS") return false;
  if (origin === undefined || request.headers["access-control-request-method"] === undefined) {
    return false;
  }
  if (!open && !policy.isConfigured(origin)) {
    throw new CidcastError("ORIGIN_NOT_ALLOWED", "Pages of this origin may not use the node's API");
  }
  void reply
    .code(204)
    .header("access-control-allow-methods", open ? "GET, HEAD" : "GET, HEAD, POST, PUT, PATCH, DELETE")
    .header("access-control-allow-headers", ASKED)
    .header("access-control-max-age", PREFLIGHT_SECONDS)
    .send();
  return true;
}
