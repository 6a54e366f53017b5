import { createHmac, timingSafeEqual } from "node:crypto";

const MAGIC_COOKIE = 0x2112a442;
const HEADER_BYTES = 20;
const CLASS_MASK = 0x0110;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const HMAC_BYTES = 20;

/** What a datagram that starts like STUN is. */
export type StunKind = "request" | "response" | "indication" | "malformed";

/** Kind of a STUN datagram. @see https://www.rfc-editor.org/rfc/rfc8489#section-5 */
export function stunKind(datagram: Buffer): StunKind {
  if (datagram.length < HEADER_BYTES || datagram.readUInt32BE(4) !== MAGIC_COOKIE) return "malformed";
  if (datagram.readUInt16BE(2) + HEADER_BYTES !== datagram.length) return "malformed";
  const messageClass = datagram.readUInt16BE(0) & CLASS_MASK;
  if (messageClass === 0) return "request";
  return messageClass === 0x0010 ? "indication" : "response";
}

/** The transaction id, as text for a map. */
export function stunTransaction(datagram: Buffer): string {
  return datagram.toString("latin1", 8, HEADER_BYTES);
}

/** Our side's fragment of USERNAME: what stands before the colon in a request to us. */
export function stunLocalUfrag(datagram: Buffer): string | undefined {
  const at = findAttribute(datagram, USERNAME);
  if (at === undefined) return undefined;
  const name = datagram.toString("latin1", at.value, at.value + at.length);
  const colon = name.indexOf(":");
  return colon > 0 ? name.slice(0, colon) : undefined;
}

/** True when MESSAGE-INTEGRITY is there and was made with `password`. @see https://www.rfc-editor.org/rfc/rfc8489#section-14.5 */
export function stunIntegrityHolds(datagram: Buffer, password: string): boolean {
  const at = findAttribute(datagram, MESSAGE_INTEGRITY);
  if (at === undefined || at.length !== HMAC_BYTES) return false;
  const signed = Buffer.from(datagram.subarray(0, at.value - 4));
  // The length field counts up to and with this attribute while it is computed.
  signed.writeUInt16BE(at.value + HMAC_BYTES - HEADER_BYTES, 2);
  const expected = createHmac("sha1", password).update(signed).digest();
  return timingSafeEqual(expected, datagram.subarray(at.value, at.value + HMAC_BYTES));
}

function findAttribute(
  datagram: Buffer,
  wanted: number,
): { readonly value: number; readonly length: number } | undefined {
  let at = HEADER_BYTES;
  while (at + 4 <= datagram.length) {
    const type = datagram.readUInt16BE(at);
    const length = datagram.readUInt16BE(at + 2);
    if (at + 4 + length > datagram.length) return undefined;
    if (type === wanted) return { value: at + 4, length };
    at += 4 + ((length + 3) & ~3);
  }
  return undefined;
}
