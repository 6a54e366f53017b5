import {
  cidText,
  contentRecord,
  doneResult,
  gcResult,
  listQuery,
  listResult,
  lsQuery,
  lsResult,
  pinBody,
  pinQuery,
  pinsResult,
  statResult,
} from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { CidcastError } from "../../core/index.ts";
import { readDirectory } from "../gateway/directory.ts";
import { sendFile } from "../gateway/file.ts";
import { findWithin, refParams, resolveRef } from "../gateway/ref.ts";
import { route } from "../routing/route.ts";
import { type ApiComponents, fileComponents } from "./types.ts";

const cidParams = z.object({ cid: cidText });

/** Records and bytes of content: one route per verb. */
export function contentRoutes(app: FastifyInstance, components: ApiComponents): void {
  recordRoutes(app, components);
  readRoutes(app, components);
  pinRoutes(app, components);
}

function recordRoutes(app: FastifyInstance, { content, contentFor }: ApiComponents): void {
  route(app, {
    method: "GET",
    url: "/api/v0/content",
    action: "content:list",
    query: listQuery,
    answer: listResult,
    summary: "What was added",
    handler: async ({ query: { search, sort = "newest", limit, offset }, principal }) =>
      contentFor(principal).list({
        sort,
        limit,
        offset,
        ...(search !== undefined && search !== "" && { search }),
      }),
  });
  route(app, {
    method: "GET",
    url: "/api/v0/content/:cid",
    action: "content:list",
    resource: params => params,
    params: cidParams,
    answer: contentRecord,
    summary: "One record",
    handler: async ({ params: { cid }, principal, signal }) => {
      const own = contentFor(principal);
      // Resolving first makes one text of the CID's several spellings, and an INVALID_CID of what is none.
      const record = (await own.record(cid)) ?? (await own.record(await canonical(cid, signal)));
      if (record === undefined) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} was not added here`);
      return record;
    },
  });
  const canonical = async (cid: string, signal: AbortSignal): Promise<string> => {
    try {
      return (await content.stat(cid, { signal: AbortSignal.any([signal, AbortSignal.timeout(LOCAL_MS)]) }))
        .cid;
    } catch (error) {
      if (error instanceof CidcastError && error.code === "INVALID_CID") throw error;
      throw new CidcastError("CONTENT_NOT_FOUND", `${cid} was not added here`, { cause: error });
    }
  };
  route(app, {
    method: "DELETE",
    url: "/api/v0/content/:cid",
    action: "content:remove",
    resource: params => params,
    params: cidParams,
    answer: doneResult,
    summary: "Takes record and pins away; blocks go at the next garbage collection",
    handler: async ({ params, principal, signal }) => {
      await contentFor(principal).remove(params.cid, { signal });
      return { ok: true };
    },
  });
}

/** Time to look whether something that has no record is here at all, milliseconds. */
const LOCAL_MS = 1000;

function readRoutes(app: FastifyInstance, components: ApiComponents): void {
  const { content, limits } = components;
  const file = fileComponents(components);
  route(app, {
    method: ["GET", "HEAD"],
    url: "/api/v0/cat/*",
    action: "content:read",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    summary: "The bytes of a file; ranges as in the gateway",
    handler: async ({ params: ref, request, reply, signal }) => {
      const target = await resolveRef(content, ref, limits.findTimeoutMs, { signal });
      if (target.type !== "file") {
        throw new CidcastError("NOT_A_FILE", `${ref.ref} is a directory: ask for a file in it`);
      }
      return sendFile(file, {
        ref,
        cid: target.cid,
        request,
        reply,
        signal,
        download: false,
        filename: undefined,
      });
    },
  });
  route(app, {
    method: "GET",
    url: "/api/v0/ls/*",
    action: "content:read",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    query: lsQuery,
    answer: lsResult,
    summary: "Entries of a directory",
    handler: async ({ params: ref, query, signal }) => {
      const target = await resolveRef(content, ref, limits.findTimeoutMs, { signal });
      if (target.type !== "directory") {
        throw new CidcastError("NOT_A_DIRECTORY", `${ref.ref} is a file: it has no entries`);
      }
      return { cid: target.cid, ...(await readDirectory(content, target.cid, { ...query, signal })) };
    },
  });
  route(app, {
    method: "GET",
    url: "/api/v0/stat/*",
    action: "content:read",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    answer: statResult,
    summary: "Size, and how much of it is here",
    handler: async ({ params: ref, signal }) =>
      findWithin(limits.findTimeoutMs, ref, { signal }, inner => content.stat(ref.ref, { signal: inner })),
  });
}

function pinRoutes(app: FastifyInstance, { content, contentFor }: ApiComponents): void {
  route(app, {
    method: "POST",
    url: "/api/v0/pin/:cid",
    action: "content:pin",
    resource: params => params,
    params: cidParams,
    query: pinQuery,
    answer: pinBody,
    summary: "Pins recursively; fetches what is missing first",
    handler: async ({ params, query, principal, signal }) =>
      contentFor(principal).pin(params.cid, {
        signal,
        ...(query.name !== undefined && { name: query.name }),
      }),
  });
  route(app, {
    method: "DELETE",
    url: "/api/v0/pin/:cid",
    action: "content:pin",
    resource: params => params,
    params: cidParams,
    query: pinQuery,
    answer: doneResult,
    summary: "Takes a pin away",
    handler: async ({ params, query, principal, signal }) => {
      await contentFor(principal).unpin(params.cid, {
        signal,
        ...(query.name !== undefined && { name: query.name }),
      });
      return { ok: true };
    },
  });
  route(app, {
    method: "GET",
    url: "/api/v0/pins",
    action: "content:list",
    answer: pinsResult,
    summary: "Every pin",
    handler: async ({ principal }) => ({ pins: await contentFor(principal).pins() }),
  });
  route(app, {
    method: "POST",
    url: "/api/v0/gc",
    action: "node:admin",
    answer: gcResult,
    summary: "Removes blocks that no pin, viewer or transfer needs",
    handler: async ({ signal }) => content.gc({ signal }),
  });
}
