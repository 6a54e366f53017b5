import { z } from "zod";
import {
  base64url,
  MAX_PLAYBACK_CAVEATS,
  MAX_PLAYBACK_TOKEN_LENGTH,
  PLAYBACK_QUALITIES,
  PLAYBACK_TOKEN_PREFIX,
  type PlaybackCaveat,
  playbackCaveat,
  type PlaybackGrant,
  playbackGrant,
  type PlaybackQuality,
} from "./schema.ts";

/** Stands in front of what the node's key signs, so that it signs nothing else. */
export const PLAYBACK_CONTEXT = "cidcast playback v1\0";
/** Bytes of a signature. */
const SIGNATURE_BYTES = 32;

/** A token, taken apart. Whether its signature is right, only the node can tell. */
export interface ParsedPlaybackToken {
  /** The signed texts in order: the grant, then caveats. */
  readonly segments: readonly string[];
  readonly signature: Uint8Array<ArrayBuffer>;
  readonly grant: PlaybackGrant;
  readonly caveats: readonly PlaybackCaveat[];
}

/** What is left of a grant when every caveat is taken into account. */
export interface PlaybackBounds {
  readonly expiresAtMs: number;
  readonly maxQuality: PlaybackQuality | undefined;
  readonly viewerKey: string | undefined;
}

/** Takes a token apart; undefined for what is none, or holds a part that is not known. */
export function parsePlaybackToken(text: string): ParsedPlaybackToken | undefined {
  if (text.length > MAX_PLAYBACK_TOKEN_LENGTH || !text.startsWith(PLAYBACK_TOKEN_PREFIX)) return undefined;
  const segments = text.slice(PLAYBACK_TOKEN_PREFIX.length).split(".");
  const signature = bytesOf(segments.pop() ?? "");
  const [head, ...rest] = segments;
  if (head === undefined || signature?.length !== SIGNATURE_BYTES || rest.length > MAX_PLAYBACK_CAVEATS)
    return undefined;
  const grant = playbackGrant.safeParse(valueOf(head));
  const caveats = z.array(playbackCaveat).safeParse(rest.map(valueOf));
  if (!grant.success || !caveats.success) return undefined;
  return { segments, signature, grant: grant.data, caveats: caveats.data };
}

/** Puts a token together. */
export function formatPlaybackToken(segments: readonly string[], signature: Uint8Array): string {
  return PLAYBACK_TOKEN_PREFIX + [...segments, base64url(signature)].join(".");
}

/** A grant or caveat as it is signed. */
export function playbackSegment(value: PlaybackGrant | PlaybackCaveat): string {
  return base64url(new TextEncoder().encode(JSON.stringify(value)));
}

/**
 * A weaker token from a token, made by whoever holds it, without asking the node. What was taken away cannot be put back.
 * Throws a `RangeError` when the token is none, or holds as many caveats as it may.
 */
export async function attenuatePlaybackToken(text: string, caveat: PlaybackCaveat): Promise<string> {
  const parsed = parsePlaybackToken(text);
  if (parsed === undefined) throw new RangeError("This is no playback token");
  const segment = playbackSegment(playbackCaveat.parse(caveat));
  const weaker = formatPlaybackToken([...parsed.segments, segment], await sign(parsed.signature, segment));
  if (parsePlaybackToken(weaker) === undefined)
    throw new RangeError("A playback token cannot hold more than this");
  return weaker;
}

/** The narrowest of all bounds; undefined when they exclude each other: two different viewers. */
export function boundsOf({ grant, caveats }: ParsedPlaybackToken): PlaybackBounds | undefined {
  const all = [grant, ...caveats];
  const keys = new Set(all.flatMap(({ viewerKey }) => (viewerKey === undefined ? [] : [viewerKey])));
  if (keys.size > 1) return undefined;
  const levels = all.flatMap(({ maxQuality }) =>
    maxQuality === undefined ? [] : [PLAYBACK_QUALITIES.indexOf(maxQuality)],
  );
  const [viewerKey] = keys;
  return {
    expiresAtMs: Math.min(...all.map(({ exp = Number.POSITIVE_INFINITY }) => exp)) * 1000,
    maxQuality: levels.length === 0 ? undefined : PLAYBACK_QUALITIES[Math.min(...levels)],
    viewerKey,
  };
}

async function sign(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array> {
  const { subtle } = globalThis.crypto;
  const imported = await subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", imported, new TextEncoder().encode(text)));
}

function valueOf(segment: string): unknown {
  const bytes = bytesOf(segment);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // Neither text nor JSON: no schema takes it.
    return undefined;
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]+$/.test(text)) return undefined;
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0));
  } catch {
    // A length that no bytes have.
    return undefined;
  }
}
