import { Readable } from "node:stream";
import { MAX_CID_LENGTH, MAX_NAME_LENGTH, MAX_PATH_LENGTH } from "@cidcast/protocols/node-api";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { CidcastError, toCidcastError } from "../../core/index.ts";
import { sendFile } from "../gateway/file.ts";
import { type ContentRef, parseRef, refParams, resolveRef } from "../gateway/ref.ts";
import { type RouteContext, route } from "../routing/route.ts";
import { type ApiComponents, fileComponents } from "./types.ts";

/** Bytes of one `chunk` event: what clients of this family expect. */
const SSE_CHUNK_BYTES = 64 * 1024;

const count = z.coerce.number().int().min(0);
/** Query of the streams of this family. Chunk size, cache and timeout mean nothing to a client that reads as it likes. */
const streamQuery = z.object({
  path: z
    .string({ error: "Path parameter is required" })
    .min(1, "Path parameter is required")
    .max(MAX_CID_LENGTH + MAX_PATH_LENGTH + 16)
    .describe("A CID, or a CID and a path, with or without `/ipfs/` or `ipfs://` before it."),
  mime_type: z
    .string()
    .max(MAX_NAME_LENGTH)
    .regex(/^[\w.+-]+\/[\w.+-]+$/)
    .optional(),
});
const mediaQuery = streamQuery.extend({ start_byte: count.optional(), end_byte: count.optional() });
type StreamContext = RouteContext<undefined, z.output<typeof mediaQuery>, undefined>;

/** Addresses under which clients of this family read bytes: the gateway's answers under other names. */
export function streamRoutes(app: FastifyInstance, components: ApiComponents): void {
  route(app, {
    method: ["GET", "HEAD"],
    url: "/api/v0/stream",
    action: "content:read",
    query: streamQuery,
    summary: "The bytes of a file, as `/ipfs/<path>`",
    handler: async context => sendStream(components, context, undefined),
  });
  route(app, {
    method: ["GET", "HEAD"],
    url: "/api/v0/stream/media",
    action: "content:read",
    query: mediaQuery,
    summary: "Bytes `start_byte` to `end_byte`, both included, of a file",
    handler: async context => {
      const { start_byte: start, end_byte: end } = context.query;
      const range = start === undefined && end === undefined ? undefined : `bytes=${start ?? 0}-${end ?? ""}`;
      return sendStream(components, context, range);
    },
  });
  route(app, {
    method: "GET",
    url: "/sse/stream/*",
    action: "content:read",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    head: false,
    summary: "The bytes of a file as events: metadata, chunk (base64), complete",
    handler: async ({ params: ref, signal, reply, principal }) => {
      const { content, limits, http, tenants } = components;
      const { tenantId } = principal;
      tenants?.quotas.checkEgress(tenantId, 0);
      const target = await resolveRef(content, ref, limits.findTimeoutMs, { signal });
      if (target.type !== "file") throw new CidcastError("NOT_A_FILE", `${ref.ref} is a directory`);
      const onBytes = (bytes: number): void => {
        http.contentSent.add(bytes);
        tenants?.quotas.addEgress(tenantId, bytes);
      };
      const events = fileEvents(components, { cid: target.cid, path: ref.ref, signal, onBytes });
      reply.header("cache-control", "no-store").header("x-accel-buffering", "no");
      return reply.type("text/event-stream; charset=utf-8").send(Readable.from(events));
    },
  });
}

async function sendStream(
  components: ApiComponents,
  context: Omit<StreamContext, "query"> & { readonly query: z.output<typeof streamQuery> },
  range: string | undefined,
): Promise<FastifyReply> {
  const { content, limits } = components;
  const { query, request, reply, signal } = context;
  const ref: ContentRef = parseRef(query.path.replace(/^(?:\/?ipfs\/|ipfs:\/\/)/, ""));
  const target = await resolveRef(content, ref, limits.findTimeoutMs, { signal });
  if (target.type !== "file") throw new CidcastError("NOT_A_FILE", `${ref.ref} is a directory`);
  return sendFile(fileComponents(components), {
    ref,
    cid: target.cid,
    request,
    reply,
    signal,
    download: false,
    filename: undefined,
    ...(range !== undefined && { range }),
    ...(query.mime_type !== undefined && { contentType: query.mime_type }),
  });
}

async function* fileEvents(
  { content }: ApiComponents,
  asked: {
    readonly cid: string;
    readonly path: string;
    readonly signal: AbortSignal;
    readonly onBytes: (bytes: number) => void;
  },
): AsyncGenerator<string> {
  const { cid, path, signal, onBytes } = asked;
  const event = (name: string, data: Readonly<Record<string, unknown>>): string =>
    `event: ${name}\ndata: ${JSON.stringify({ ...data, timestamp: Date.now() / 1000 })}\n\n`;
  try {
    await using file = await content.open(cid, { signal });
    const contentType = await content.contentTypeOf(cid, { signal });
    yield event("metadata", { path, content_type: contentType, content_length: file.size });
    let sent = 0;
    for await (const leaf of file.stream({ signal })) {
      for (let at = 0; at < leaf.byteLength; at += SSE_CHUNK_BYTES) {
        const chunk = leaf.subarray(at, at + SSE_CHUNK_BYTES);
        onBytes(chunk.byteLength);
        yield event("chunk", { offset: sent, data: Buffer.from(chunk).toString("base64") });
        sent += chunk.byteLength;
      }
    }
    yield event("complete", { bytes_sent: sent });
  } catch (error) {
    if (signal.aborted) return;
    const { code, message } = toCidcastError(error);
    yield event("error", {
      error: code === "INTERNAL" ? "The content cannot be read" : message,
      error_type: code,
    });
  }
}
