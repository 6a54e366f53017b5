import { createCipheriv } from "node:crypto";

/** SRTP protection profiles that we speak. @see https://www.rfc-editor.org/rfc/rfc7714 */
export type SrtpProfile = "aead-aes-128-gcm" | "aes-128-cm-hmac-sha1-80";

/** Master key and salt of one direction, as DTLS exports them. */
export interface MasterKey {
  readonly profile: SrtpProfile;
  readonly key: Buffer;
  readonly salt: Buffer;
}

/** Session keys of one direction of SRTP or SRTCP. */
export interface SrtpKeys {
  readonly profile: SrtpProfile;
  readonly key: Buffer;
  readonly salt: Buffer;
  /** HMAC key; empty with GCM. */
  readonly auth: Buffer;
}

const RTP_ENCRYPTION = 0;
const RTP_AUTH = 1;
const RTP_SALT = 2;
/** SRTCP labels follow SRTP's. */
const RTCP_OFFSET = 3;
const KEY_BYTES = 16;
const AUTH_BYTES = 20;
const MASTER_SALT_BYTES = 14;

/** Session keys from a master key, key derivation rate 0. @see https://www.rfc-editor.org/rfc/rfc3711#section-4.3 */
export function deriveKeys(master: MasterKey, use: "rtp" | "rtcp"): SrtpKeys {
  const offset = use === "rtp" ? 0 : RTCP_OFFSET;
  const gcm = master.profile === "aead-aes-128-gcm";
  return {
    profile: master.profile,
    key: derive(master, RTP_ENCRYPTION + offset, KEY_BYTES),
    salt: derive(master, RTP_SALT + offset, gcm ? 12 : MASTER_SALT_BYTES),
    auth: gcm ? Buffer.alloc(0) : derive(master, RTP_AUTH + offset, AUTH_BYTES),
  };
}

function derive(master: MasterKey, label: number, bytes: number): Buffer {
  // RFC 7714 11: with GCM's 12-byte master salt, two zero bytes are appended before the derivation.
  const iv = Buffer.alloc(16);
  master.salt.copy(iv);
  iv[7] = (iv[7] ?? 0) ^ label;
  return createCipheriv("aes-128-ctr", master.key, iv).update(Buffer.alloc(bytes));
}
