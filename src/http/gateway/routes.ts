import { DEFAULT_PAGE_SIZE, MAX_NAME_LENGTH, MAX_PAGE_SIZE } from "@cidcast/protocols/node-api";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { isCidcastError } from "../../core/index.ts";
import { type RouteContext, route } from "../routing/route.ts";
import { matchesNone } from "./conditional.ts";
import { directoryHtml, readDirectory } from "./directory.ts";
import { type FileComponents, sendFile } from "./file.ts";
import { cacheControl, CONTENT_CSP, gatewayPath, rootsHeader } from "./headers.ts";
import { type ContentRef, refParams, requireLocal, resolveRef } from "./ref.ts";
import { representationOf, trustlessQuery } from "./trustless/negotiate.ts";
import { sendCar, sendRaw } from "./trustless/send.ts";

/** Changes when listings look different, so that browsers ask again. */
const LISTING_VERSION = "2";

/** Query of the gateway. What it does not know it passes over: addresses are often given such things by others. */
const gatewayQuery = z.object({
  download: z
    .enum(["", "0", "1", "true", "false"])
    .optional()
    .transform(text => text === "" || text === "1" || text === "true"),
  filename: z.string().max(MAX_NAME_LENGTH).optional(),
  ...trustlessQuery,
  limit: z.coerce.number().int().min(1).max(MAX_PAGE_SIZE).default(DEFAULT_PAGE_SIZE),
  offset: z.coerce.number().int().min(0).default(0),
});
type GatewayContext = RouteContext<ContentRef, z.output<typeof gatewayQuery>, undefined>;

/** `GET`, `HEAD /ipfs/<cid>[/path]`. */
export function gatewayRoutes(app: FastifyInstance, components: FileComponents): void {
  const { content, limits } = components;
  route(app, {
    method: ["GET", "HEAD"],
    url: "/ipfs/*",
    action: "content:read",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    query: gatewayQuery,
    summary: "A file, a directory's index.html or listing, or blocks (`format=raw`, `format=car`)",
    handler: async context => {
      const { params: ref, query, request, reply, signal } = context;
      const wanted = representationOf(query, request.headers.accept);
      reply.header("vary", "Accept");
      if (isOnlyIfCached(request.headers["cache-control"])) await requireLocal(content, ref, { signal });
      if (wanted.kind === "raw")
        return sendRaw(components, { ref, request, reply, signal, filename: query.filename });
      if (wanted.kind === "car") {
        return sendCar(components, { ref, request, reply, signal, filename: query.filename }, wanted);
      }
      const target = await resolveRef(content, ref, limits.findTimeoutMs, { signal });
      const roots = (await content.path(ref.ref, { signal })).roots.map(String);
      if (target.type === "directory") return sendDirectory(components, context, { cid: target.cid, roots });
      return sendFile(components, {
        ref,
        cid: target.cid,
        roots,
        request,
        reply,
        signal,
        download: query.download,
        filename: query.filename,
      });
    },
  });
}

async function sendDirectory(
  components: FileComponents,
  context: GatewayContext,
  { cid, roots }: { readonly cid: string; readonly roots: readonly string[] },
): Promise<FastifyReply> {
  const { content, limits } = components;
  const { params: ref, query, request, reply, signal, principal } = context;
  const json = wantsJson(request.headers.accept);
  if (!json) {
    // Links in an index or listing are relative to the directory.
    if (!ref.slash) return redirectToSlash(context);
    const index = { ...ref, path: `${ref.path}/index.html`, ref: `${ref.ref}/index.html` };
    try {
      const target = await resolveRef(content, index, limits.findTimeoutMs, { signal });
      if (target.type === "file") {
        return await sendFile(components, {
          ref,
          cid: target.cid,
          standsFor: cid,
          roots,
          indexOf: index.path,
          request,
          reply,
          signal,
          download: query.download,
          filename: query.filename,
        });
      }
    } catch (error) {
      if (!isCidcastError(error, "PATH_NOT_FOUND")) throw error;
    }
  }
  const variant = `${LISTING_VERSION}-${json ? "json" : "html"}-${query.offset}-${query.limit}`;
  const etag = `"DirIndex-${variant}_CID-${cid}"`;
  reply
    .header("etag", etag)
    .header("x-ipfs-path", gatewayPath(ref))
    .header("x-ipfs-roots", rootsHeader(roots))
    .header("cache-control", cacheControl("listing", principal.kind === "token"))
    .header("content-security-policy", CONTENT_CSP);
  if (matchesNone(request.headers["if-none-match"], etag)) return reply.code(304).send();
  const page = await readDirectory(content, cid, { signal, limit: query.limit, offset: query.offset });
  if (json) return reply.type("application/json; charset=utf-8").send({ cid, ...page });
  return reply.type("text/html; charset=utf-8").send(directoryHtml(ref, page, query));
}

function redirectToSlash({ request, reply }: GatewayContext): FastifyReply {
  const [path = "", query] = request.url.split("?", 2);
  return reply.redirect(`${path}/${query === undefined ? "" : `?${query}`}`, 301);
}

/** True when a client wants what is here, or nothing (RFC 9111 section 5.2.1.7). */
function isOnlyIfCached(header: string | undefined): boolean {
  return (header ?? "").split(",").some(part => part.trim().toLowerCase() === "only-if-cached");
}

/** True when a client asks for JSON before HTML. */
export function wantsJson(accept: string | undefined): boolean {
  const types = (accept ?? "").split(",").map(part => part.split(";", 1)[0]?.trim());
  const json = types.indexOf("application/json");
  const html = types.indexOf("text/html");
  return json !== -1 && (html === -1 || json < html);
}
