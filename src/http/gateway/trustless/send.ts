import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { carEntry, carHeader, type DagBlock, type DagExport } from "../../../content/index.ts";
import { CidcastError } from "../../../core/index.ts";
import { allowsRange, matchesNone } from "../conditional.ts";
import type { FileComponents } from "../file.ts";
import { cacheControl, contentDisposition, gatewayPath, rootsHeader } from "../headers.ts";
import { parseRange } from "../range.ts";
import { type ContentRef, findWithin } from "../ref.ts";
import { timed } from "../timing.ts";
import { carType, RAW_TYPE, type Representation } from "./negotiate.ts";

/** Bytes of small blocks that are sent together: a write of its own for each costs more than the block. */
const BATCH_BYTES = 64 * 1024;
/** Blocks from this size on are not copied into a batch, bytes: a write of their own costs less. */
const UNCOPIED_BYTES = 128 * 1024;

/** A request for blocks. */
export interface BlocksRequest {
  readonly ref: ContentRef;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly signal: AbortSignal;
  readonly filename: string | undefined;
}

/** Answers with the one block at the end of the path. */
export async function sendRaw(components: FileComponents, asked: BlocksRequest): Promise<FastifyReply> {
  const { content, limits, metrics } = components;
  const { ref, request, reply, signal } = asked;
  const timing = await timed(content, ref.cid);
  const { end, roots } = await findWithin(limits.findTimeoutMs, ref, { signal }, inner =>
    content.path(ref.ref, { signal: inner }),
  );
  const cid = end.toString();
  const etag = `"${cid}.raw"`;
  blockHeaders(asked, { etag, roots: roots.map(String), name: asked.filename ?? `${cid}.bin` });
  reply.header("accept-ranges", "bytes");
  if (matchesNone(request.headers["if-none-match"], etag)) return reply.code(304).send();
  const bytes = await findWithin(limits.findTimeoutMs, ref, { signal }, inner =>
    content.block(cid, { signal: inner }),
  );
  const ifRange = request.headers["if-range"];
  const wanted = allowsRange(typeof ifRange === "string" ? ifRange : undefined, etag);
  const range = parseRange(wanted ? request.headers.range : undefined, bytes.byteLength);
  if (range.kind === "unsatisfiable") {
    reply.header("content-range", `bytes */${bytes.byteLength}`);
    throw new CidcastError("RANGE_NOT_SATISFIABLE", `The block has ${bytes.byteLength} bytes`);
  }
  const { start, end: stop } = range.kind === "part" ? range : { start: 0, end: bytes.byteLength };
  if (range.kind === "part") {
    reply.code(206).header("content-range", `bytes ${start}-${stop - 1}/${bytes.byteLength}`);
  }
  reply
    .header("content-type", RAW_TYPE)
    .header("content-length", stop - start)
    .header("server-timing", timing());
  if (request.method === "HEAD") return reply.send();
  const { tenantId } = request.principal;
  components.quotas?.checkEgress(tenantId, stop - start);
  components.quotas?.addEgress(tenantId, stop - start);
  metrics.contentSent.add(stop - start);
  const { buffer, byteOffset } = bytes;
  return reply.send(Buffer.from(buffer, byteOffset + start, stop - start));
}

/**
 * Answers with a CAR. The blocks of the path and the one at its end are read before the status line is sent, so that what
 * cannot be found ends in an error; a block that is missing later breaks the answer off.
 */
export async function sendCar(
  components: FileComponents,
  asked: BlocksRequest,
  wanted: Extract<Representation, { kind: "car" }>,
): Promise<FastifyReply> {
  const { content, limits, metrics, log } = components;
  const { ref, request, reply, signal } = asked;
  const timing = await timed(content, ref.cid);
  const dag = await findWithin(limits.findTimeoutMs, ref, { signal }, () =>
    content.dag(ref.ref, { ...wanted, signal }),
  );
  const cid = dag.end.toString();
  const etag = `"${cid}.car.${variantOf(ref, wanted)}"`;
  blockHeaders(asked, {
    etag: `W/${etag}`,
    roots: dag.roots.map(String),
    name: asked.filename ?? `${cid}.car`,
  });
  reply.header("accept-ranges", "none").header("content-type", carType(wanted));
  let handedOver = false;
  try {
    if (matchesNone(request.headers["if-none-match"], etag)) return await reply.code(304).send();
    const first = await findWithin(limits.findTimeoutMs, ref, { signal }, () => headOf(dag));
    reply.header("server-timing", timing());
    if (request.method === "HEAD") return await reply.send();
    const { tenantId } = request.principal;
    components.quotas?.checkEgress(tenantId, 0);
    const count = (bytes: number): void => {
      metrics.contentSent.add(bytes);
      components.quotas?.addEgress(tenantId, bytes);
    };
    const body = Readable.from(carBody(dag, first, count), { objectMode: false });
    handedOver = true;
    body.once("error", error => {
      if (!signal.aborted) log.warn({ err: error, cid }, "CAR broke off while being sent");
    });
    // A generator that was never asked for a value ends nothing by itself.
    body.once("close", () => void dag.blocks.return(undefined).catch(() => undefined));
    return await reply.send(body);
  } finally {
    if (!handedOver) await dag.blocks.return(undefined);
  }
}

function blockHeaders(
  { ref, request, reply }: BlocksRequest,
  told: { readonly etag: string; readonly roots: readonly string[]; readonly name: string },
): void {
  const isPrivate = request.principal.kind !== "local" && request.principal.kind !== "anonymous";
  reply
    .header("etag", told.etag)
    .header("cache-control", cacheControl("immutable", isPrivate))
    .header("cross-origin-resource-policy", "cross-origin")
    .header("x-ipfs-path", gatewayPath(ref))
    .header("x-ipfs-roots", rootsHeader(told.roots))
    .header("content-disposition", contentDisposition("attachment", told.name));
}

/** The blocks of the path, and the one at its end. */
async function headOf(dag: DagExport): Promise<DagBlock[]> {
  const first: DagBlock[] = [];
  while (first.length <= dag.path.length) {
    const step = await dag.blocks.next();
    if (step.done === true) break;
    first.push(step.value);
  }
  return first;
}

async function* carBody(
  dag: DagExport,
  first: readonly DagBlock[],
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = [carHeader([dag.end])];
  let batchBytes = 0;
  const take = (): Uint8Array => {
    const bytes = Buffer.concat(batch);
    onBytes(bytes.byteLength);
    batch = [];
    batchBytes = 0;
    return bytes;
  };
  /** Takes a block into the batch; gives back its bytes instead where they go out as they are. */
  const push = (block: DagBlock): Uint8Array | undefined => {
    const [head, bytes] = carEntry(block);
    const alone = bytes.byteLength >= UNCOPIED_BYTES;
    batch.push(head);
    if (!alone) batch.push(bytes);
    batchBytes += head.byteLength + (alone ? 0 : bytes.byteLength);
    return alone ? bytes : undefined;
  };
  for (let i = 0; ; i++) {
    const block = first[i] ?? (await dag.blocks.next()).value;
    if (block === undefined) break;
    const alone = push(block);
    if (alone !== undefined || batchBytes >= BATCH_BYTES) yield take();
    if (alone === undefined) continue;
    onBytes(alone.byteLength);
    yield alone;
  }
  if (batch.length > 0) yield take();
}

/** Tells CARs of one CID apart that hold different blocks. */
function variantOf(
  ref: ContentRef,
  { scope, bytes, duplicates }: Extract<Representation, { kind: "car" }>,
): string {
  const variant = JSON.stringify([ref.ref, scope, bytes?.from, bytes?.to, duplicates]);
  return createHash("sha256").update(variant).digest("hex").slice(0, 16);
}
