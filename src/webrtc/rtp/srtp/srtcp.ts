import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import type { SrtpKeys } from "./srtp-keys.ts";

const GCM_TAG_BYTES = 16;
const HMAC_TAG_BYTES = 10;
const INDEX_BYTES = 4;
const HEADER_BYTES = 8;
const ENCRYPTED = 0x80000000;
/** Reports behind the newest that are still taken once each. @see https://www.rfc-editor.org/rfc/rfc3711#section-3.3.2 */
const REPLAY_WINDOW = 64;

/** True when the datagram is RTCP rather than RTP. @see https://www.rfc-editor.org/rfc/rfc5761#section-4 */
export function isRtcp(datagram: Buffer): boolean {
  const type = datagram[1] ?? 0;
  return type >= 192 && type <= 223;
}

/** Encrypts RTCP of one direction. */
export class SrtcpSealer {
  readonly #keys: SrtpKeys;
  #index = 0;

  constructor(keys: SrtpKeys) {
    this.#keys = keys;
  }

  seal(compound: Buffer): Buffer {
    const keys = this.#keys;
    this.#index = (this.#index + 1) & 0x7fffffff;
    const trailer = Buffer.alloc(INDEX_BYTES);
    trailer.writeUInt32BE((ENCRYPTED | this.#index) >>> 0);
    const head = compound.subarray(0, HEADER_BYTES);
    const body = compound.subarray(HEADER_BYTES);
    const iv = srtcpIv(keys, compound.readUInt32BE(4), this.#index);
    if (keys.profile === "aead-aes-128-gcm") {
      const cipher = createCipheriv("aes-128-gcm", keys.key, iv);
      cipher.setAAD(Buffer.concat([head, trailer]));
      const sealed = Buffer.concat([cipher.update(body), cipher.final()]);
      return Buffer.concat([head, sealed, cipher.getAuthTag(), trailer]);
    }
    const sealed = createCipheriv("aes-128-ctr", keys.key, iv).update(body);
    const packet = Buffer.concat([head, sealed, trailer]);
    const tag = createHmac("sha1", keys.auth).update(packet).digest().subarray(0, HMAC_TAG_BYTES);
    return Buffer.concat([packet, tag]);
  }
}

/** Senders of reports of one viewer: browsers have one for each stream, and one for transport-wide feedback. */
export const MAX_REPORT_SENDERS = 64;

/** What was taken of one sender: the newest index, and which index each place of the window holds. */
interface ReplayWindow {
  newest: number;
  readonly seen: Int32Array;
}

/**
 * Decrypts RTCP of one direction; takes each report once. Indices count for each sender by itself: a viewer's streams and
 * its transport-wide feedback have one each. @see https://www.rfc-editor.org/rfc/rfc3711#section-3.2.3
 */
export class SrtcpOpener {
  readonly #keys: SrtpKeys;
  readonly #windows = new Map<number, ReplayWindow>();
  /** What GCM signs beside the body: filled in anew, and copied when it is set. */
  readonly #aad = Buffer.alloc(HEADER_BYTES + INDEX_BYTES);
  /** Datagrams that did not authenticate, or came twice. */
  refused = 0;

  constructor(keys: SrtpKeys) {
    this.#keys = keys;
  }

  /** The compound packet; undefined when it is damaged, forged or replayed. */
  open(datagram: Buffer): Buffer | undefined {
    const gcm = this.#keys.profile === "aead-aes-128-gcm";
    const indexAt = datagram.length - INDEX_BYTES - (gcm ? 0 : HMAC_TAG_BYTES);
    const bodyEnd = gcm ? indexAt - GCM_TAG_BYTES : indexAt;
    if (bodyEnd < HEADER_BYTES) return this.#refuse();
    const trailer = datagram.readUInt32BE(indexAt);
    // Reports in the clear are not negotiated by DTLS-SRTP.
    if ((trailer & ENCRYPTED) === 0) return this.#refuse();
    const index = trailer & 0x7fffffff;
    const ssrc = datagram.readUInt32BE(4);
    const window = this.#windows.get(ssrc) ?? { newest: -1, seen: new Int32Array(REPLAY_WINDOW).fill(-1) };
    if (isReplayed(window, index)) return this.#refuse();
    const head = datagram.subarray(0, HEADER_BYTES);
    const iv = srtcpIv(this.#keys, ssrc, index);
    const sealed = datagram.subarray(HEADER_BYTES, bodyEnd);
    const body = gcm
      ? this.#openGcm(datagram, { iv, sealed, bodyEnd, indexAt })
      : this.#openCm(datagram, { iv, sealed, indexAt });
    if (body === undefined) return this.#refuse();
    if (!this.#windows.has(ssrc)) {
      // Only who has the keys comes this far. One more sender than a viewer has is not heard.
      if (this.#windows.size >= MAX_REPORT_SENDERS) return this.#refuse();
      this.#windows.set(ssrc, window);
    }
    remember(window, index);
    return Buffer.concat([head, body]);
  }

  #openGcm(
    datagram: Buffer,
    at: { readonly iv: Buffer; readonly sealed: Buffer; readonly bodyEnd: number; readonly indexAt: number },
  ): Buffer | undefined {
    const decipher = createDecipheriv("aes-128-gcm", this.#keys.key, at.iv, { authTagLength: GCM_TAG_BYTES });
    datagram.copy(this.#aad, 0, 0, HEADER_BYTES);
    datagram.copy(this.#aad, HEADER_BYTES, at.indexAt);
    decipher.setAAD(this.#aad);
    decipher.setAuthTag(datagram.subarray(at.bodyEnd, at.indexAt));
    const body = decipher.update(at.sealed);
    try {
      decipher.final();
    } catch {
      // The tag does not match: the caller counts it.
      return undefined;
    }
    return body;
  }

  #openCm(
    datagram: Buffer,
    at: { readonly iv: Buffer; readonly sealed: Buffer; readonly indexAt: number },
  ): Buffer | undefined {
    const signed = datagram.subarray(0, at.indexAt + INDEX_BYTES);
    const tag = createHmac("sha1", this.#keys.auth).update(signed).digest().subarray(0, HMAC_TAG_BYTES);
    if (!timingSafeEqual(tag, datagram.subarray(at.indexAt + INDEX_BYTES))) return undefined;
    return createDecipheriv("aes-128-ctr", this.#keys.key, at.iv).update(at.sealed);
  }

  #refuse(): undefined {
    this.refused++;
    return undefined;
  }
}

function isReplayed({ newest, seen }: ReplayWindow, index: number): boolean {
  return index <= newest - REPLAY_WINDOW || seen[index % REPLAY_WINDOW] === index;
}

function remember(window: ReplayWindow, index: number): void {
  window.newest = Math.max(window.newest, index);
  window.seen[index % REPLAY_WINDOW] = index;
}

/** RFC 7714 9.1 and RFC 3711 4.1.1. */
function srtcpIv(keys: SrtpKeys, ssrc: number, index: number): Buffer {
  const gcm = keys.profile === "aead-aes-128-gcm";
  const iv = Buffer.alloc(gcm ? 12 : 16);
  iv.writeUInt32BE(ssrc, gcm ? 2 : 4);
  iv.writeUInt32BE(index, gcm ? 8 : 10);
  for (let i = 0; i < (gcm ? 12 : 14); i++) iv[i] = (iv[i] ?? 0) ^ (keys.salt[i] ?? 0);
  return iv;
}
