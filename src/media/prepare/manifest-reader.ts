import {
  MANIFEST_BLOCK_MAX_BYTES,
  manifestPage,
  type ManifestRendition,
  type ManifestSegment,
  type MediaManifest,
  mediaManifest,
} from "@cidcast/protocols/media-manifest";
import { decode } from "@ipld/dag-cbor";
import { CID } from "multiformats/cid";
import type { z } from "zod";
import { type AbortOptions, CidcastError, messageOf } from "../../core/index.ts";
import type { PrepareContent } from "./types.ts";

/** Codec of structured data with links. */
const DAG_CBOR = 0x71;

type Reader = Pick<PrepareContent, "blocks">;

/** True for a CID that can name a manifest: that of structured data, which no file has. */
export function isManifest(cid: string): boolean {
  return CID.parse(cid).code === DAG_CBOR;
}

/** The root that a reference names, in whatever form it is written; undefined when it names something else. */
export function manifestIn(ref: string): string | undefined {
  const text = ref.replace(/^\/ipfs\/|^ipfs:\/\//, "").replace(/\/$/, "");
  try {
    const cid = CID.parse(text);
    return cid.code === DAG_CBOR ? cid.toString() : undefined;
  } catch {
    // A path, or no CID: the content layer says what it is.
    return undefined;
  }
}

/** Reads a root. `UNSUPPORTED_MEDIA` when it is no manifest; `CORRUPT_BLOCK`, `CONTENT_NOT_FOUND` as blocks go. */
export async function readManifest(
  content: Reader,
  root: string,
  options: AbortOptions = {},
): Promise<MediaManifest> {
  const value = await readCbor(content, CID.parse(root), root, options);
  return check(mediaManifest, value, `${root} is no media manifest of version 1`, "UNSUPPORTED_MEDIA");
}

/** Reads all pages of a rendition. `CORRUPT_MEDIA` with the reason when they are not what the root says. */
export async function readSegments(
  content: Reader,
  root: string,
  rendition: ManifestRendition,
  options: AbortOptions = {},
): Promise<ManifestSegment[]> {
  const what = `rendition ${rendition.name} of ${root}`;
  const pages = await Promise.all(
    rendition.pages.map(async link => {
      const value = await readCbor(content, linkOf(link), root, options);
      return check(manifestPage, value, `A page of ${what} is damaged`, "CORRUPT_MEDIA").segments;
    }),
  );
  const segments = pages.flat();
  if (segments.length !== rendition.segments) {
    throw corrupt(`The ${what} is incomplete: ${segments.length} of ${rendition.segments} segments`);
  }
  let endUs = 0;
  for (const segment of segments) {
    if (segment.start < endUs) throw corrupt(`The ${what} has segments that overlap`);
    endUs = segment.start + segment.duration;
    checkGops(segment, what);
  }
  return segments;
}

/** The CID behind a link. */
export function linkOf(link: { readonly bytes: Uint8Array }): CID {
  return CID.asCID(link) ?? CID.decode(link.bytes);
}

export function corrupt(message: string, cause?: unknown): CidcastError {
  return new CidcastError("CORRUPT_MEDIA", message, cause === undefined ? {} : { cause });
}

function checkGops({ gops, start, bytes, cid }: ManifestSegment, what: string): void {
  const [first] = gops;
  if (first?.[0] !== start || first[1] !== 0)
    throw corrupt(`${String(cid)} of the ${what} does not begin where it says`);
  for (const [i, [time, offset]] of gops.entries()) {
    const next = gops[i + 1];
    if (next === undefined ? offset < bytes : next[0] > time && next[1] > offset) continue;
    throw corrupt(`The keyframe index of ${String(cid)} in the ${what} is damaged`);
  }
}

async function readCbor({ blocks }: Reader, cid: CID, root: string, options: AbortOptions): Promise<unknown> {
  const bytes = await blocks.block(cid, { ...options, root });
  if (cid.code !== DAG_CBOR || bytes.byteLength > MANIFEST_BLOCK_MAX_BYTES) {
    throw corrupt(`${cid.toString()} in ${root} cannot be part of a manifest`);
  }
  try {
    return decode(bytes);
  } catch (error) {
    throw corrupt(`${cid.toString()} in ${root} cannot be decoded`, error);
  }
}

function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
  message: string,
  code: "UNSUPPORTED_MEDIA" | "CORRUPT_MEDIA",
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue === undefined ? "" : `: ${issue.path.join(".")} ${issue.message}`;
  throw new CidcastError(code, `${message}${place}`, { cause: messageOf(parsed.error) });
}
