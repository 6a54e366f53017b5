import { createCipheriv, createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { writeCmIv, writeGcmIv } from "./iv.ts";
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
      writeGcmIv(this.#iv, this.#salt, header);
      const cipher = createCipheriv("aes-128-gcm", this.#key, this.#iv);
      cipher.setAAD(header.bytes);
      if (head.length > 0) end += cipher.update(head).copy(out, end);
      end += cipher.update(payload).copy(out, end);
      cipher.final();
      end += cipher.getAuthTag().copy(out, end, 0, GCM_TAG_BYTES);
      return end - at;
    }
    writeCmIv(this.#iv, this.#salt, header);
    const cipher = createCipheriv("aes-128-ctr", this.#key, this.#iv);
    if (head.length > 0) end += cipher.update(head).copy(out, end);
    end += cipher.update(payload).copy(out, end);
    this.#roc.writeUInt32BE(header.rollovers);
    const tag = createHmac("sha1", this.#auth).update(out.subarray(at, end)).update(this.#roc).digest();
    end += tag.copy(out, end, 0, HMAC_TAG_BYTES);
    return end - at;
  }
}
