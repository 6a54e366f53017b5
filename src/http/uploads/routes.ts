import type { IncomingMessage } from "node:http";
import { uploadHeaders, uploadParams, uploadResult } from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { CidcastError } from "../../core/index.ts";
import type { ApiComponents } from "../api/types.ts";
import { watchBody } from "../routing/body.ts";
import { takeOver } from "../routing/mounted.ts";
import { parse, type RouteContext, route } from "../routing/route.ts";
import { Uploads, UPLOADS_PATH } from "./uploads.ts";

type Context = Pick<RouteContext<undefined, undefined, undefined>, "request" | "reply" | "principal">;

/** Resumable uploads by the tus protocol 1.0. See protocols/node-api/v1/spec.md, Resumable upload. */
export async function uploadRoutes(app: FastifyInstance, components: ApiComponents): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const uploads = await openUploads(components);
  const admit = createAdmission(components);
  const serve = async (context: Context, id?: string): Promise<undefined> => {
    const { request, reply, principal } = context;
    const { raw } = request;
    const there = opened(uploads);
    if (raw.method !== "OPTIONS") checkHeaders(raw);
    if (id !== undefined && raw.method !== "OPTIONS") there.requireOwner(id, principal);
    await admit(raw.method ?? "", async () => {
      const pace = watchBody(raw, {
        minBytesPerSecond: components.limits.minBodyBytesPerSecond,
        graceMs: components.limits.bodyGraceMs,
      });
      pace.addEventListener("abort", () => raw.destroy(), { once: true });
      reply.header("content-type", "application/json; charset=utf-8").header("cache-control", "no-store");
      await there.serve(raw, takeOver(reply), { id, principal });
    });
    return undefined;
  };
  const action = "content:add" as const;
  route(app, {
    method: "POST",
    url: UPLOADS_PATH,
    action,
    summary: "Begins a resumable upload (tus 1.0)",
    handler: async context => serve(context),
  });
  route(app, { method: "OPTIONS", url: UPLOADS_PATH, action, handler: async context => serve(context) });
  const one = { url: `${UPLOADS_PATH}/:id`, action, params: uploadParams } as const;
  route(app, {
    ...one,
    method: "PATCH",
    summary: "Goes on with a resumable upload",
    handler: async context => serve({ ...context }, context.params.id),
  });
  route(app, {
    ...one,
    method: "HEAD",
    handler: async context => serve({ ...context }, context.params.id),
  });
  route(app, {
    ...one,
    method: "DELETE",
    summary: "Ends a resumable upload",
    handler: async context => serve({ ...context }, context.params.id),
  });
  route(app, {
    ...one,
    method: "OPTIONS",
    handler: async context => serve({ ...context }, context.params.id),
  });
  route(app, {
    ...one,
    method: "GET",
    head: false,
    answer: uploadResult,
    summary: "How far a resumable upload is, and what became of it",
    handler: async ({ params, principal }) => opened(uploads).result(params.id, principal),
  });
}

/** What the protocol's server would refuse in words of its own. */
function checkHeaders({ method, headers }: IncomingMessage): void {
  if (headers["tus-resumable"] !== "1.0.0") {
    throw new CidcastError("PRECONDITION_FAILED", "Tus-Resumable: 1.0.0 is the version spoken here");
  }
  if (method === "POST") parse(uploadHeaders.required({ "upload-length": true }), headers, "header");
  else parse(uploadHeaders, headers, "header");
}

async function openUploads(components: ApiComponents): Promise<Uploads | undefined> {
  const { init, contentFor, tenants, log, http, stopping } = components;
  if (init.uploadDir === undefined) return undefined;
  return Uploads.open(
    { directory: init.uploadDir, maxBytes: init.maxUploadBytes },
    { contentFor, quotas: tenants?.quotas, log, stopping, onAdded: bytes => http.contentReceived.add(bytes) },
  );
}

function opened(uploads: Uploads | undefined): Uploads {
  if (uploads !== undefined) return uploads;
  throw new CidcastError("FEATURE_DISABLED", "This node takes no resumable uploads");
}

/** Counts requests that bring bytes. `BUSY` beyond the limit of uploads. */
function createAdmission({ limits, http }: ApiComponents) {
  let running = 0;
  return async (method: string, work: () => Promise<void>): Promise<void> => {
    if (method !== "PATCH" && method !== "POST") return work();
    if (running >= limits.maxConcurrentUploads) {
      http.refused.add(1, { reason: "uploads" });
      throw new CidcastError("BUSY", `${running} uploads are running`, { retryAfterSeconds: 5 });
    }
    running += 1;
    try {
      await work();
    } finally {
      running -= 1;
    }
  };
}
