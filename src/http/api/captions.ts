import {
  attachedParams,
  attachQuery,
  captionsResult,
  captionTrackBody,
  cuesQuery,
  cuesResult,
  mediaParams,
} from "@cidcast/protocols/node-api/media";
import { doneResult } from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { CidcastError, withTimeout } from "../../core/index.ts";
import { type Captions, writeWebVtt } from "../../media/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** Longest search for text or a picture in media, as so many times the time that finding content may take. */
const FIND_FACTOR = 4;

/** Captions and chapters of media. */
export function captionRoutes(app: FastifyInstance, components: ApiComponents): void {
  const { tenants, limits } = components;
  const captions = (): Captions => {
    if (components.captions !== undefined) return components.captions;
    throw new CidcastError("FEATURE_DISABLED", "Media is switched off on this node");
  };
  const within = <T>(signal: AbortSignal, what: string, work: (signal: AbortSignal) => Promise<T>) =>
    withTimeout(limits.findTimeoutMs * FIND_FACTOR, what, work, { signal });
  route(app, {
    method: "GET",
    url: "/api/v0/captions/:cid",
    action: "media:play",
    resource: ({ cid }) => ({ cid }),
    params: mediaParams,
    answer: captionsResult,
    summary: "Captions inside media and attached to it, its chapters and tags",
    handler: async ({ params: { cid }, principal, signal }) =>
      within(signal, `finding captions in ${cid}`, inner =>
        captions().list(cid, principal.tenantId, { signal: inner }),
      ),
  });
  route(app, {
    method: "GET",
    url: "/api/v0/cues/:cid",
    action: "media:play",
    resource: ({ cid }) => ({ cid }),
    params: mediaParams,
    query: cuesQuery,
    answer: cuesResult,
    summary: "Cues of captions, with the place and hash of their bytes",
    handler: async ({ params: { cid }, query, principal, signal, reply }) => {
      const { track: id, from: fromSeconds, until: untilSeconds, format } = query;
      const found = await within(signal, `reading captions of ${cid}`, inner =>
        captions().cues(cid, id, {
          owner: principal.tenantId ?? "",
          fromSeconds,
          untilSeconds,
          signal: inner,
        }),
      );
      return format === "json" ? found : reply.type("text/vtt; charset=utf-8").send(writeWebVtt(found.cues));
    },
  });
  route(app, {
    method: "PUT",
    url: "/api/v0/captions/:cid/:captions",
    action: "content:pin",
    resource: ({ cid }) => ({ cid }),
    params: attachedParams,
    query: attachQuery,
    answer: captionTrackBody,
    summary: "Attaches a WebVTT or SRT file to media",
    handler: async ({ params, query, principal, signal }) => {
      await tenants?.content.requireRead(principal, params.captions);
      return captions().attach(params.cid, params.captions, principal.tenantId, { ...query, signal });
    },
  });
  route(app, {
    method: "DELETE",
    url: "/api/v0/captions/:cid/:captions",
    action: "content:pin",
    resource: ({ cid }) => ({ cid }),
    params: attachedParams,
    answer: doneResult,
    summary: "Takes a caption file off again; the file stays",
    handler: async ({ params, principal, signal }) => {
      if (await captions().detach(params.cid, params.captions, principal.tenantId, { signal }))
        return { ok: true };
      throw new CidcastError("CONTENT_NOT_FOUND", `${params.captions} is not attached to ${params.cid}`);
    },
  });
}
