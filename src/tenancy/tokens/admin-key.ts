import { createHash, timingSafeEqual } from "node:crypto";

/** Compares a shown key with the right one in time that tells nothing of either, not even their lengths. */
export function sameKey(shown: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(shown), digest(right));
}

/** True for addresses of this machine, also IPv4 in IPv6. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  const text = address.toLowerCase().replace(/^::ffff:/, "");
  return text === "::1" || /^127(\.\d{1,3}){3}$/.test(text);
}
