import { createCipheriv, createHmac, createSecretKey, type KeyObject } from "node:crypto";
import type { RtpHeader } from "./rtp-header.ts";
import type { SrtpKeys } from "../srtp/srtp-keys.ts";

const GCM_TAG_BYTES = 16;
const HMAC_TAG_BYTES = 10;
const ZERO = Buffer.alloc(0);

/** Encrypts RTP packets of one direction with node:crypto. */
export class Sealer {
  readonly #gcm: boolean;
  readonly #key: KeyObject;
  readonly #salt: Buffer;
  readonly #auth: Buffer;
  readonly #iv: Buffer;
  readonly #roc = Buffer.alloc(4);
  readonly #prefix = Buffer.alloc(2);

  constructor(keys: SrtpKeys) {
    this.#gcm = keys.profile === "aead-aes-128-gcm";
    this.#key = createSecretKey(keys.key);
    this.#salt = keys.salt;
    this.#auth = keys.auth;
    this.#iv = Buffer.alloc(this.#gcm ? 12 : 16);
  }

  /** Writes the packet to `out` at `at`; returns its length. `header` is already filled in. */
  // oxlint-disable-next-line max-params -- called per packet: an object for its arguments would be made for each.
  seal(header: RtpHeader, payload: Buffer, prefix: number | undefined, out: Buffer, at: number): number {
    let end = at + header.bytes.copy(out, at);
    let head = ZERO;
    if (prefix !== undefined) {
      this.#prefix.writeUInt16BE(prefix);
      head = this.#prefix;
    }
    if (this.#gcm) {
      this.#gcmIv(header);
      const cipher = createCipheriv("aes-128-gcm", this.#key, this.#iv);
      cipher.setAAD(header.bytes);
      if (head.length > 0) end += cipher.update(head).copy(out, end);
      end += cipher.update(payload).copy(out, end);
      cipher.final();
      end += cipher.getAuthTag().copy(out, end, 0, GCM_TAG_BYTES);
      return end - at;
    }
    this.#cmIv(header);
    const cipher = createCipheriv("aes-128-ctr", this.#key, this.#iv);
    if (head.length > 0) end += cipher.update(head).copy(out, end);
    end += cipher.update(payload).copy(out, end);
    this.#roc.writeUInt32BE(header.rollovers);
    const tag = createHmac("sha1", this.#auth).update(out.subarray(at, end)).update(this.#roc).digest();
    end += tag.copy(out, end, 0, HMAC_TAG_BYTES);
    return end - at;
  }

  /** RFC 7714 8.1: 00 00 SSRC ROC SEQ, xor salt. */
  #gcmIv(header: RtpHeader): void {
    const iv = this.#iv;
    iv.writeUInt16BE(0, 0);
    iv.writeUInt32BE(header.ssrc, 2);
    iv.writeUInt32BE(header.rollovers >>> 0, 6);
    iv.writeUInt16BE(header.sequence, 10);
    for (let i = 0; i < 12; i++) iv[i] = (iv[i] ?? 0) ^ (this.#salt[i] ?? 0);
  }

  /** RFC 3711 4.1.1: salt * 2^16 xor SSRC * 2^64 xor index * 2^16. */
  #cmIv(header: RtpHeader): void {
    const iv = this.#iv;
    iv.fill(0);
    iv.writeUInt32BE(header.ssrc, 4);
    iv.writeUInt32BE(header.rollovers >>> 0, 8);
    iv.writeUInt16BE(header.sequence, 12);
    for (let i = 0; i < 14; i++) iv[i] = (iv[i] ?? 0) ^ (this.#salt[i] ?? 0);
  }
}
