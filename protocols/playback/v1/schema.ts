import { z } from "zod";

/** Playback tokens: what they hold, and how the node's API makes them. See spec.md beside this file. */

/** How the text of a playback token begins. */
export const PLAYBACK_TOKEN_PREFIX = "ccp_";
/** Longest playback token, characters: it goes in addresses. */
export const MAX_PLAYBACK_TOKEN_LENGTH = 2048;
/** Caveats that holders may have added to a token. */
export const MAX_PLAYBACK_CAVEATS = 8;
/** Longest life of a playback token, seconds: two weeks. */
export const MAX_PLAYBACK_SECONDS = 14 * 24 * 3600;
/** Life of a playback token whose maker names none, seconds: longer than what is watched at a sitting. */
export const DEFAULT_PLAYBACK_SECONDS = 12 * 3600;
/** Longest CID in a playback token, characters: one with content inside it would not fit an address. */
export const MAX_PLAYBACK_CID_LENGTH = 128;

/** Levels that a token may end at, lowest first. */
export const PLAYBACK_QUALITIES = ["very_low", "low", "medium", "high", "very_high"] as const;
const quality = z.enum(PLAYBACK_QUALITIES);
export type PlaybackQuality = z.output<typeof quality>;

/** SHA-256 of the viewer's DTLS certificate: 32 bytes in base64url. */
const viewerKey = z.string().regex(/^[\w-]{43}$/, "has to be 32 bytes in base64url");
const seconds = z.number().int().positive().max(1e11);
const cid = z.string().min(1).max(MAX_PLAYBACK_CID_LENGTH);

/** What the node grants: the first part of a token. */
export const playbackGrant = z.strictObject({
  /** Names the token for lists and revocation. */
  id: z.string().min(1).max(64),
  /** Tenant whose content it is; left out: the owner's. */
  tenant: z.string().min(1).max(64).optional(),
  /** Root of what may be played. */
  cid,
  /** Root of what was prepared from it, which may be read too. */
  manifest: cid.optional(),
  /** Seconds since 1970. */
  exp: seconds,
  maxQuality: quality.optional(),
  viewerKey: viewerKey.optional(),
});
export type PlaybackGrant = z.output<typeof playbackGrant>;

/** What a holder takes away before passing the token on. A part that is not known here makes the token good for nothing. */
export const playbackCaveat = z
  .strictObject({ exp: seconds.optional(), maxQuality: quality.optional(), viewerKey: viewerKey.optional() })
  .refine(caveat => Object.keys(caveat).length > 0, "takes nothing away");
export type PlaybackCaveat = z.output<typeof playbackCaveat>;

/** A fingerprint as browsers show it (`sha-256 AB:CD:…`), as hex, or as 32 bytes in base64url. */
const viewerKeyText = z
  .string()
  .max(128)
  .transform((text, context) => {
    const key = viewerKeyOf(text);
    if (key === undefined) context.addIssue("has to be a SHA-256 fingerprint");
    return key ?? "";
  });

/** Body of `POST /api/v0/playback-tokens`. */
export const createPlaybackBody = z.strictObject({
  cid: cid.describe("Root of what may be played."),
  manifest: cid.optional().describe("Root of what was prepared from it, which may be read too."),
  expiresInSeconds: z.number().int().positive().max(MAX_PLAYBACK_SECONDS).default(DEFAULT_PLAYBACK_SECONDS),
  maxQuality: quality.optional().describe("Highest level that viewers may choose."),
  viewerKey: viewerKeyText.optional().describe("Fingerprint of the one viewer's certificate."),
});

/** A playback token as lists show it. */
export const playbackTokenInfo = z.object({
  id: z.string(),
  cid: z.string(),
  manifest: z.string().optional(),
  maxQuality: quality.optional(),
  viewerKey: z.string().optional(),
  expiresAtMs: z.number(),
  createdAtMs: z.number(),
  active: z.boolean(),
});
export type PlaybackTokenBody = z.output<typeof playbackTokenInfo>;

/** Answer of `POST /api/v0/playback-tokens`: the token is shown here only. */
export const createdPlayback = playbackTokenInfo.extend({
  token: z.string(),
  /** Where a browser plays it, below the node's address. */
  path: z.string(),
});
export type CreatedPlaybackBody = z.output<typeof createdPlayback>;

/** Answer of `GET /api/v0/playback-tokens`. */
export const playbackList = z.object({ tokens: z.array(playbackTokenInfo) });

/** The 32 bytes of a SHA-256 fingerprint as base64url; undefined when the text is none. */
export function viewerKeyOf(text: string): string | undefined {
  const plain = text
    .trim()
    .replace(/^sha-256\s+/i, "")
    .replaceAll(":", "");
  if (/^[\da-f]{64}$/i.test(plain)) {
    const bytes = plain.match(/../g) ?? [];
    return base64url(Uint8Array.from(bytes, byte => Number.parseInt(byte, 16)));
  }
  return /^[\w-]{43}$/.test(plain) ? plain : undefined;
}

/** Bytes as base64url without padding. */
export function base64url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, byte => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
