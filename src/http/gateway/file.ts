import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Content, ContentFile } from "../../content/index.ts";
import { CidcastError, type Logger } from "../../core/index.ts";
import type { TenantQuotas } from "../../tenancy/index.ts";
import type { ContentFor } from "../door/tenants.ts";
import type { HttpLimits } from "../limits.ts";
import type { HttpMetrics } from "../metrics.ts";
import { allowsRange, matchesNone } from "./conditional.ts";
import {
  cacheControl,
  CONTENT_CSP,
  contentDisposition,
  gatewayPath,
  rootsHeader,
  withCharset,
} from "./headers.ts";
import { parseRange } from "./range.ts";
import { type ContentRef, findWithin } from "./ref.ts";
import { timed } from "./timing.ts";

export interface FileComponents {
  readonly content: Content;
  readonly contentFor: ContentFor;
  /** Undefined: nobody has quotas. */
  readonly quotas: Pick<TenantQuotas, "addEgress" | "checkEgress"> | undefined;
  readonly limits: HttpLimits;
  readonly log: Logger;
  readonly metrics: HttpMetrics;
}

/** A request for the bytes of a file. */
export interface FileRequest {
  readonly ref: ContentRef;
  /** CID of the file that the ref leads to. */
  readonly cid: string;
  /** CID that the answer stands for, where that is not the file's own: a directory, by its index. */
  readonly standsFor?: string;
  /** Path of that index, whose name and type are told. */
  readonly indexOf?: string;
  /** CID of each name of the ref. */
  readonly roots?: readonly string[];
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly signal: AbortSignal;
  readonly download: boolean;
  /** Name to save it under, where the caller gave one. */
  readonly filename: string | undefined;
  /** Range that goes before the one of the header. */
  readonly range?: string;
  /** Type that goes before the one of the content. */
  readonly contentType?: string;
}

/**
 * Answers with a file: validators, one range, and the bytes as the client takes them. The first chunk is read before the
 * status line is sent, so that content which is missing or damaged at its start ends in an error and not in a broken body.
 */
export async function sendFile(components: FileComponents, asked: FileRequest): Promise<FastifyReply> {
  const { content, limits } = components;
  const { ref, cid, request, reply, signal } = asked;
  const etag = `"${asked.standsFor ?? cid}"`;
  const timing = await timed(content, ref.cid);
  const isPrivate = request.principal.kind !== "local" && request.principal.kind !== "anonymous";
  reply
    .header("etag", etag)
    .header("cache-control", cacheControl("immutable", isPrivate))
    .header("content-security-policy", CONTENT_CSP)
    .header("cross-origin-resource-policy", "cross-origin")
    .header("x-ipfs-path", gatewayPath(ref))
    .header("accept-ranges", "bytes");
  if (asked.roots !== undefined) reply.header("x-ipfs-roots", rootsHeader(asked.roots));
  if (matchesNone(request.headers["if-none-match"], etag)) return reply.code(304).send();

  const find = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    findWithin(limits.findTimeoutMs, ref, { signal }, work);
  const [file, type] = await openWithType(components, asked, find);
  let handedOver = false;
  try {
    const ifRange = request.headers["if-range"];
    const wanted = allowsRange(typeof ifRange === "string" ? ifRange : undefined, etag);
    const range = parseRange(asked.range ?? (wanted ? request.headers.range : undefined), file.size);
    if (range.kind === "unsatisfiable") {
      reply.header("content-range", `bytes */${file.size}`);
      throw new CidcastError(
        "RANGE_NOT_SATISFIABLE",
        `The file has ${file.size} bytes: ${request.headers.range ?? ""} is not among them`,
        { details: { size: file.size } },
      );
    }
    const { start, end } = range.kind === "part" ? range : { start: 0, end: file.size };
    if (range.kind === "part") {
      reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${file.size}`);
    }
    reply
      .header("content-type", withCharset(asked.contentType ?? type.contentType))
      .header("content-length", end - start)
      .header(
        "content-disposition",
        contentDisposition(asked.download ? "attachment" : "inline", asked.filename ?? type.name),
      );
    if (request.method === "HEAD" || start === end)
      return await reply.header("server-timing", timing()).send();

    const { tenantId } = request.principal;
    components.quotas?.checkEgress(tenantId, end - start);
    const chunks = file.stream({ start, end, signal })[Symbol.asyncIterator]();
    const first = await find(async () => chunks.next());
    reply.header("server-timing", timing());
    const hold = content.hold(cid);
    const count = (bytes: number): void => {
      components.metrics.contentSent.add(bytes);
      // Others of the tenant may have used up the day since: the body then breaks off.
      components.quotas?.addEgress(tenantId, bytes);
    };
    const body = Readable.from(rest(first, chunks, count), { objectMode: false });
    handedOver = true;
    // Not in the generator: one that was never asked for a value runs no `finally`.
    body.once("close", () => {
      hold.release();
      closeFile(file, components.log);
    });
    body.once("error", error => {
      if (!signal.aborted) components.log.warn({ err: error, cid }, "content broke off while being sent");
    });
    return await reply.send(body);
  } finally {
    if (!handedOver) closeFile(file, components.log);
  }
}

async function openWithType(
  { content, contentFor }: FileComponents,
  { ref, cid, filename, indexOf, request }: FileRequest,
  find: <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>,
): Promise<[ContentFile, { readonly contentType: string; readonly name: string | undefined }]> {
  const record = await contentFor(request.principal).record(cid);
  const path = indexOf ?? ref.path;
  const name = path === "" ? record?.name : path.split("/").at(-1);
  const hint = filename ?? name;
  const contentType =
    record?.contentType ??
    (await find(signal => content.contentTypeOf(cid, { signal, ...(hint !== undefined && { name: hint }) })));
  const file = await find(signal => content.open(cid, { signal }));
  return [file, { contentType, name }];
}

/** What is left of an iteration, its first step taken. */
async function* rest(
  first: IteratorResult<Uint8Array>,
  chunks: AsyncIterator<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (let step = first; step.done !== true; step = await chunks.next()) {
    onBytes(step.value.length);
    yield step.value;
  }
}

function closeFile(file: ContentFile, log: Logger): void {
  file.close().catch((error: unknown) => log.warn({ err: error, cid: file.cid }, "closing a file failed"));
}
