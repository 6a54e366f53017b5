import type { RtpHeader } from "./rtp-header.ts";

/** RFC 7714 8.1: 00 00 SSRC ROC SEQ, xor salt. `iv` has 12 bytes. */
export function writeGcmIv(iv: Buffer, salt: Buffer, header: RtpHeader): void {
  const { ssrc, rollovers, sequence } = header;
  for (let i = 0; i < 12; i++) iv[i] = salt[i] ?? 0;
  xor32(iv, 2, ssrc);
  xor32(iv, 6, rollovers);
  iv[10] = (iv[10] ?? 0) ^ (sequence >>> 8);
  iv[11] = (iv[11] ?? 0) ^ sequence;
}

/** RFC 3711 4.1.1: salt * 2^16 xor SSRC * 2^64 xor index * 2^16. `iv` has 16 bytes. */
export function writeCmIv(iv: Buffer, salt: Buffer, header: RtpHeader): void {
  iv.fill(0);
  iv.writeUInt32BE(header.ssrc, 4);
  iv.writeUInt32BE(header.rollovers >>> 0, 8);
  iv.writeUInt16BE(header.sequence, 12);
  for (let i = 0; i < 14; i++) iv[i] = (iv[i] ?? 0) ^ (salt[i] ?? 0);
}

function xor32(iv: Buffer, at: number, value: number): void {
  iv[at] = (iv[at] ?? 0) ^ (value >>> 24);
  iv[at + 1] = (iv[at + 1] ?? 0) ^ (value >>> 16);
  iv[at + 2] = (iv[at + 2] ?? 0) ^ (value >>> 8);
  iv[at + 3] = (iv[at + 3] ?? 0) ^ value;
}
