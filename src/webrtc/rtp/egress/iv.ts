import type { RtpHeader } from "./rtp-header.ts";

/** RFC 7714 8.1: 00 00 SSRC ROC SEQ, xor salt. `iv` has 12 bytes. */
export function writeGcmIv(iv: Buffer, salt: Buffer, header: RtpHeader): void {
  iv.writeUInt16BE(0, 0);
  iv.writeUInt32BE(header.ssrc, 2);
  iv.writeUInt32BE(header.rollovers >>> 0, 6);
  iv.writeUInt16BE(header.sequence, 10);
  for (let i = 0; i < 12; i++) iv[i] = (iv[i] ?? 0) ^ (salt[i] ?? 0);
}

/** RFC 3711 4.1.1: salt * 2^16 xor SSRC * 2^64 xor index * 2^16. `iv` has 16 bytes. */
export function writeCmIv(iv: Buffer, salt: Buffer, header: RtpHeader): void {
  iv.fill(0);
  iv.writeUInt32BE(header.ssrc, 4);
  iv.writeUInt32BE(header.rollovers >>> 0, 8);
  iv.writeUInt16BE(header.sequence, 12);
  for (let i = 0; i < 14; i++) iv[i] = (iv[i] ?? 0) ^ (salt[i] ?? 0);
}
