import {
  type ManifestRendition,
  MANIFEST_KIND,
  MAX_PAGES,
  PAGE_MAX_SEGMENTS,
  SIGNATURE_PREFIX,
} from "@cidcast/protocols/media-manifest";
import { encode } from "@ipld/dag-cbor";
import { CID } from "multiformats/cid";
import { identity } from "multiformats/hashes/identity";
import { sha256 } from "multiformats/hashes/sha2";
import { CidcastError } from "../../core/index.ts";
import type { TrackInfo } from "../types.ts";
import type { Extras } from "./extras.ts";
import type { MadeSegment } from "./job-store.ts";
import type { PrepareContent, Signer } from "./types.ts";

/** Codec of structured data with links. */
const DAG_CBOR = 0x71;

/** A rendition to be written: what goes into the manifest beside its segments. */
export interface RenditionPlan {
  readonly name: string;
  readonly codec: ManifestRendition["codec"];
  /** Undefined: what its bytes come to. */
  readonly bitrateBps: number | undefined;
  readonly width?: number;
  readonly height?: number;
  readonly frameRate?: number | undefined;
  readonly channels?: number;
}

/** A track to be written. */
export interface TrackPlan {
  readonly track: TrackInfo;
  readonly renditions: readonly { readonly plan: RenditionPlan; readonly segments: readonly MadeSegment[] }[];
}

/** All that goes into a manifest. */
export interface ManifestPlan {
  readonly source: string;
  readonly tracks: readonly TrackPlan[];
  readonly extras: Extras;
}

/** Writes the blocks of a manifest and gives back its root. Nothing but its arguments goes into it. */
export async function writeManifest(
  content: Pick<PrepareContent, "blocks">,
  { source, tracks, extras }: ManifestPlan,
): Promise<CID> {
  const written = [];
  for (const { track, renditions } of tracks) {
    const list = [];
    for (const { plan, segments } of renditions) {
      const filled = segments.filter(segment => segment.cid !== "");
      if (filled.length > 0) list.push(await writeRendition(content, plan, filled));
    }
    if (list.length === 0) continue;
    written.push({
      id: track.id,
      kind: track.kind,
      ...(track.language !== undefined && { language: track.language }),
      duration: microseconds(track.durationSeconds),
      renditions: list,
    });
  }
  if (written.length === 0) {
    throw new CidcastError("UNSUPPORTED_MEDIA", `${source} holds nothing that could be prepared`);
  }
  const duration = Math.max(...written.map(track => track.duration));
  return putCbor(content, { kind: MANIFEST_KIND, version: 1, source, duration, tracks: written, ...extras });
}

async function writeRendition(
  content: Pick<PrepareContent, "blocks">,
  plan: RenditionPlan,
  segments: readonly MadeSegment[],
) {
  const pages: CID[] = [];
  for (let at = 0; at < segments.length; at += PAGE_MAX_SEGMENTS) {
    const page = segments.slice(at, at + PAGE_MAX_SEGMENTS).map(segment => ({
      cid: CID.parse(segment.cid),
      start: segment.startUs,
      duration: segment.durationUs,
      bytes: segment.bytes,
      gops: segment.gops,
    }));
    pages.push(await putCbor(content, { segments: page }));
  }
  if (pages.length > MAX_PAGES) {
    throw new CidcastError("UNSUPPORTED_MEDIA", "The media is longer than a manifest can hold");
  }
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const spanUs = segments.reduce((sum, segment) => sum + segment.durationUs, 0);
  const { name, codec, channels, width = 0, height = 0 } = plan;
  return {
    name,
    codec,
    bitrate: Math.round(plan.bitrateBps ?? (bytes * 8e6) / Math.max(1, spanUs)),
    bytes,
    segments: segments.length,
    pages,
    ...(codec === "opus"
      ? { channels: channels ?? 2 }
      : { width, height, frameRate: Math.round((plan.frameRate ?? 0) * 1000) }),
  };
}

/** Signs a root; the block is its own CID, so that nothing has to keep it. */
export async function signManifest(root: CID, signer: Signer): Promise<string> {
  const prefix = new TextEncoder().encode(SIGNATURE_PREFIX);
  const signed = await signer.sign(Buffer.concat([prefix, root.bytes]));
  const block = encode({ manifest: root, ...signed });
  return CID.createV1(DAG_CBOR, identity.digest(block)).toString();
}

/** Seconds as whole microseconds. */
export function microseconds(seconds: number): number {
  return Math.max(0, Math.round(seconds * 1e6));
}

async function putCbor({ blocks }: Pick<PrepareContent, "blocks">, value: unknown): Promise<CID> {
  const bytes = encode(value);
  const cid = CID.createV1(DAG_CBOR, await sha256.digest(bytes));
  await blocks.put(cid, bytes);
  return cid;
}
