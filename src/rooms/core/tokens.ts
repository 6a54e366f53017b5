import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../core/index.ts";

/** Signs short statements so that only this node, or one with the same secret, can have made them. */
export interface TokenSigner {
  /** A token that says `parts` until it expires. */
  sign(parts: readonly string[], ttlSeconds: number): string;
  /** True when the token says exactly that and has not expired. */
  verify(token: string, parts: readonly string[]): boolean;
}

export function createTokenSigner(secret: string, clock: Clock): TokenSigner {
  // JSON keeps the borders between the parts.
  const mac = (parts: readonly string[], expires: string): Buffer =>
    createHmac("sha256", secret)
      .update(JSON.stringify([...parts, expires]))
      .digest();
  return {
    sign(parts, ttlSeconds) {
      const expires = String(Math.floor(clock.now() / 1000) + ttlSeconds);
      return `${expires}.${mac(parts, expires).toString("base64url")}`;
    },
    verify(token, parts) {
      const match = /^(?<expires>\d{1,12})\.(?<mac>[\w-]{43})$/.exec(token)?.groups;
      if (match?.["expires"] === undefined || match["mac"] === undefined) return false;
      const given = Buffer.from(match["mac"], "base64url");
      return (
        timingSafeEqual(given, mac(parts, match["expires"])) && Number(match["expires"]) * 1000 > clock.now()
      );
    },
  };
}

/** What a room keeps of its password: it names the room, so that equal passwords do not look alike. */
export function passwordDigest(space: string, room: string, password: string): string {
  return createHash("sha256")
    .update(JSON.stringify([space, room, password]))
    .digest("base64url");
}

/** Compares two digests in the same time whatever they hold. */
export function sameDigest(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
