import { createHash, randomBytes } from "node:crypto";
import { TOKEN_BYTES } from "../limits.ts";

/** Characters of a token shown in lists. */
const SHOWN_CHARACTERS = 8;
/** Marks our tokens, so that scanners for leaked secrets find them. */
const MARK = "cct_";

/** A new token: 256 random bits. */
export function newTokenText(): string {
  return `${MARK}${randomBytes(TOKEN_BYTES).toString("base64url")}`;
}

/** The part of a token that lists show: its mark and four characters, 24 of 256 bits. */
export function tokenPrefix(text: string): string {
  return text.slice(0, SHOWN_CHARACTERS);
}

/**
 * What is stored of a token. Plain SHA-256: the token is 256 random bits, so there is nothing to guess that a slow hash
 * would protect, and a slow one would let strangers burn CPU with wrong tokens. Looking the hash up in an index tells no
 * timing either: what a prober learns of the order of hashes says nothing about the token.
 */
export function tokenHash(text: string): string {
  return createHash("sha256").update("cidcast token v1\0").update(text).digest("base64url");
}

/** Matches a token of ours anywhere in a text, for redaction. */
export const TOKEN_PATTERN = /cc[tp]_[\w.-]{20,}/g;
