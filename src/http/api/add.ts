import multipart from "@fastify/multipart";
import {
  type AddResult,
  addQuery,
  addResult,
  type CarResult,
  carQuery,
  carResult,
} from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { AddOptions } from "../../content/index.ts";
import { CidcastError } from "../../core/index.ts";
import { MAX_UPLOAD_FIELDS } from "../limits.ts";
import { bodyChunks, tooLarge, watchBody } from "../routing/body.ts";
import { type RouteContext, route } from "../routing/route.ts";
import { addedBody, addParts } from "./add-parts.ts";
import type { ApiComponents } from "./types.ts";

/** Types that say nothing about the content: what clients send when they do not know. */
const NO_TYPE: ReadonlySet<string> = new Set([
  "application/octet-stream",
  "application/x-www-form-urlencoded",
]);

/** What else such clients send means nothing to a body that is read as it comes. */
const uploadQuery = z.object({ name: addQuery.shape.name });

type AddContext = RouteContext<undefined, z.output<typeof addQuery>, undefined>;

/** `POST /api/v0/add`, in a scope of its own: here a body is content, whatever its type. */
export async function addRoute(app: FastifyInstance, components: ApiComponents): Promise<void> {
  app.removeAllContentTypeParsers();
  await app.register(multipart, {
    preservePath: true,
    throwFileSizeLimit: true,
    limits: {
      fileSize: components.init.maxUploadBytes,
      files: components.limits.maxUploadFiles,
      fields: MAX_UPLOAD_FIELDS,
      parts: components.limits.maxUploadFiles + MAX_UPLOAD_FIELDS,
    },
  });
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  let uploads = 0;
  const admit = async <T>(work: () => Promise<T>): Promise<T> => {
    if (uploads >= components.limits.maxConcurrentUploads) {
      components.http.refused.add(1, { reason: "uploads" });
      throw new CidcastError("BUSY", `${uploads} uploads are running`, { retryAfterSeconds: 5 });
    }
    uploads += 1;
    try {
      return await work();
    } finally {
      uploads -= 1;
    }
  };
  const admitted = async (context: AddContext): Promise<AddResult> => admit(() => add(components, context));
  route(app, {
    method: "POST",
    url: "/api/v0/car",
    action: "content:add",
    query: carQuery,
    answer: carResult,
    summary: "Takes in the blocks of a CAR and pins its roots",
    handler: async context => admit(() => takeCar(components, context)),
  });
  route(app, {
    method: "POST",
    url: "/api/v0/add",
    action: "content:add",
    query: addQuery,
    answer: addResult,
    summary: "Adds the body: raw bytes, or the files of a form",
    handler: admitted,
  });
  route(app, {
    method: "POST",
    url: "/api/v0/mcp/ipfs/add",
    action: "content:add",
    query: addQuery,
    summary: "Control: adds the file of a form",
    handler: async context => {
      const result = await admitted(context);
      return { success: true, ...result, Hash: result.cid };
    },
  });
  route(app, {
    method: "POST",
    url: "/api/v0/upload/stream",
    action: "content:add",
    query: uploadQuery,
    summary: "Adds the file of a form, or the body; for clients that know it by this name",
    handler: async context => {
      const { cid, name, size } = await admitted({ ...context, query: { name: context.query.name } });
      const timestamp = Date.now() / 1000;
      return { success: true, operation: "add_streaming", timestamp, cid, size, name: name ?? null };
    },
  });
}

/** Signal and size of a body that is content. `PAYLOAD_TOO_LARGE`. */
function bodyOf(
  { init, limits }: ApiComponents,
  { request, signal }: Pick<AddContext, "request" | "signal">,
): { readonly signal: AbortSignal; readonly totalBytes: number | undefined } {
  const declared = request.headers["content-length"];
  const totalBytes = declared === undefined ? undefined : Number(declared);
  if (totalBytes !== undefined && totalBytes > init.maxUploadBytes) throw tooLarge(init.maxUploadBytes);
  const pace = watchBody(request.raw, {
    minBytesPerSecond: limits.minBodyBytesPerSecond,
    graceMs: limits.bodyGraceMs,
  });
  return { signal: AbortSignal.any([signal, pace]), totalBytes };
}

async function takeCar(
  components: ApiComponents,
  context: RouteContext<undefined, z.output<typeof carQuery>, undefined>,
): Promise<CarResult> {
  const { init, http } = components;
  const { query, request, principal } = context;
  const { signal, totalBytes } = bodyOf(components, context);
  const { roots, blocks, bytes } = await components
    .contentFor(principal)
    .importCar(bodyChunks(request.raw, { signal, maxBytes: init.maxUploadBytes }), {
      signal,
      totalBytes,
      pin: query.pin === false ? false : (query["pin-name"] ?? ""),
    });
  http.contentReceived.add(bytes);
  return { roots: [...roots], blocks, bytes };
}

async function add(components: ApiComponents, context: AddContext): Promise<AddResult> {
  const { init, http } = components;
  const { query, request, principal } = context;
  const content = components.contentFor(principal);
  const maxBytes = init.maxUploadBytes;
  const { signal, totalBytes } = bodyOf(components, context);
  const options = {
    signal,
    ...(query.name !== undefined && { name: query.name }),
    pin: query.pin === false ? false : (query["pin-name"] ?? ""),
  } satisfies AddOptions;
  if (request.isMultipart()) {
    const result = await addParts({
      content,
      options,
      parts: request.parts(),
      directory: query.directory ?? false,
      maxBytes,
    });
    http.contentReceived.add(result.size);
    return result;
  }
  const contentType = request.headers["content-type"]?.split(";", 1)[0]?.trim();
  const record = await content.add(bodyChunks(request.raw, { signal, maxBytes }), {
    ...options,
    ...(totalBytes !== undefined && { totalBytes }),
    ...(contentType !== undefined && contentType !== "" && !NO_TYPE.has(contentType) && { contentType }),
  });
  http.contentReceived.add(record.size);
  return addedBody(record);
}
