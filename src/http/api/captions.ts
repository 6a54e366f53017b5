import {
  attachedParams,
  attachQuery,
  captionsResult,
  captionTrackBody,
  cuesQuery,
  cuesResult,
  doneResult,
  frameQuery,
  mediaParams,
} from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { CidcastError, withTimeout } from "../../core/index.ts";
import { type Captions, type Media, writeWebVtt } from "../../media/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** Longest search for text or a picture in media, as so many times the time that finding content may take. */
const FIND_FACTOR = 4;
/** A picture of a CID never changes. */
const FOREVER = "public, max-age=29030400, immutable";

/** Captions, chapters and single pictures of media. */
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
  frameRoute(app, components, within);
}

function frameRoute(
  app: FastifyInstance,
  components: ApiComponents,
  within: <T>(signal: AbortSignal, what: string, work: (signal: AbortSignal) => Promise<T>) => Promise<T>,
): void {
  const media = (): Media => {
    if (components.media !== undefined) return components.media;
    throw new CidcastError("FEATURE_DISABLED", "Media is switched off on this node");
  };
  route(app, {
    method: "GET",
    url: "/api/v0/frame/:cid",
    action: "media:play",
    resource: ({ cid }) => ({ cid }),
    params: mediaParams,
    query: frameQuery,
    summary: "The picture that is shown at a time, as JPEG or PNG",
    handler: async ({ params: { cid }, query, signal, reply }) => {
      const { time: timeSeconds, width: maxWidth, format, track: trackId } = query;
      const frame = await within(signal, `making a picture of ${cid}`, inner =>
        media().frame(cid, { timeSeconds, maxWidth, format, trackId, signal: inner }),
      );
      return reply
        .type(frame.contentType)
        .header("cache-control", FOREVER)
        .header("x-cidcast-time", frame.timeSeconds.toFixed(6))
        .send(frame.bytes);
    },
  });
}
