import type { SrtpKeys } from "../../srtp/srtp-keys.ts";
import { writeCmIv, writeGcmIv } from "../iv.ts";
import { SLOT_BYTES } from "../limits.ts";
import type { RtpHeader } from "../rtp-header.ts";
import type { NativeCalls } from "./native.ts";

const GET_TAG = 0x10;
const GCM_TAG_BYTES = 16;
const HMAC_TAG_BYTES = 10;
const ROLLOVER_BYTES = 4;

/** Memory of its own, never pooled and never moved, as native code needs it. */
export function nativeBuffer(bytes: number): Buffer {
  return Buffer.from(new ArrayBuffer(bytes));
}

/** Working memory of all sealers of a thread: what is in it lasts for one call. */
export class SealerMemory {
  readonly calls: NativeCalls;
  readonly iv = nativeBuffer(16);
  readonly tag = nativeBuffer(32);
  readonly prefixed = nativeBuffer(SLOT_BYTES);
  readonly ivAt: bigint;
  readonly tagAt: bigint;
  readonly prefixedAt: bigint;
  readonly lengthAt: bigint;
  readonly #length = nativeBuffer(8);

  constructor(calls: NativeCalls) {
    this.calls = calls;
    this.ivAt = calls.address(this.iv);
    this.tagAt = calls.address(this.tag);
    this.prefixedAt = calls.address(this.prefixed);
    this.lengthAt = calls.address(this.#length);
  }
}

/** Where a packet's encrypted part goes: the same place as a position in a buffer and as an address. */
export interface SealTarget {
  readonly arena: Buffer;
  readonly at: number;
  readonly address: bigint;
}

/** Encrypts the RTP packets of one direction with OpenSSL's contexts, which are kept until {@link close}. */
export class NativeSealer {
  readonly #memory: SealerMemory;
  readonly #gcm: boolean;
  readonly #salt: Buffer;
  #cipher = 0n;
  #hmac = 0n;

  /** Throws when OpenSSL does not take the keys. */
  constructor(memory: SealerMemory, keys: SrtpKeys) {
    const { calls } = memory;
    this.#memory = memory;
    this.#gcm = keys.profile === "aead-aes-128-gcm";
    this.#salt = keys.salt;
    this.#cipher = calls.cipherNew();
    const kind = this.#gcm ? calls.aes128Gcm() : calls.aes128Ctr();
    let taken = calls.encryptInit(this.#cipher, kind, null, owned(keys.key), null);
    if (!this.#gcm) {
      this.#hmac = calls.hmacNew();
      taken &= calls.hmacInit(this.#hmac, owned(keys.auth), keys.auth.length, calls.sha1(), null);
    }
    if (taken === 1) return;
    this.close();
    throw new Error("OpenSSL does not take the keys");
  }

  /**
   * Encrypts `payload`, after `prefix`, to `target`, and puts the tag behind it. Returns the bytes written, 0 when
   * OpenSSL failed. `header` is filled in, and goes before it.
   */
  // oxlint-disable-next-line max-params -- called per packet: an object for its arguments would be made for each.
  seal(header: RtpHeader, payload: Buffer, prefix: number, target: SealTarget): number {
    const { calls, ivAt, lengthAt, prefixed, prefixedAt } = this.#memory;
    let data: Buffer | bigint = payload;
    let bytes = payload.length;
    if (prefix >= 0) {
      prefixed[0] = prefix >>> 8;
      prefixed[1] = prefix;
      payload.copy(prefixed, 2);
      data = prefixedAt;
      bytes += 2;
    }
    if (this.#gcm) writeGcmIv(this.#memory.iv, this.#salt, header);
    else writeCmIv(this.#memory.iv, this.#salt, header);
    const cipher = this.#cipher;
    let good = calls.encryptInit(cipher, null, null, null, ivAt);
    if (this.#gcm) good &= calls.encryptUpdate(cipher, null, lengthAt, header.bytes, header.bytes.length);
    good &= calls.encryptUpdate(cipher, target.address, lengthAt, data, bytes);
    good &= this.#gcm ? this.#gcmTag() : this.#cmTag(header, target, bytes);
    if (good !== 1) return 0;
    const { tag } = this.#memory;
    const tagBytes = this.#gcm ? GCM_TAG_BYTES : HMAC_TAG_BYTES;
    for (let i = 0, to = target.at + bytes; i < tagBytes; i++, to++) target.arena[to] = tag[i] ?? 0;
    return bytes + tagBytes;
  }

  #gcmTag(): number {
    const { calls, tagAt, lengthAt } = this.#memory;
    return (
      calls.encryptFinal(this.#cipher, tagAt, lengthAt) &
      calls.cipherControl(this.#cipher, GET_TAG, GCM_TAG_BYTES, tagAt)
    );
  }

  /** RFC 3711 4.2: over the packet and the rollover counter, which is written where the tag will be. */
  #cmTag(header: RtpHeader, target: SealTarget, bytes: number): number {
    const { calls, tagAt, lengthAt } = this.#memory;
    target.arena.writeUInt32BE(header.rollovers >>> 0, target.at + bytes);
    return (
      calls.hmacInit(this.#hmac, null, 0, null, null) &
      calls.hmacUpdate(this.#hmac, header.bytes, header.bytes.length) &
      calls.hmacUpdate(this.#hmac, target.address, bytes + ROLLOVER_BYTES) &
      calls.hmacFinal(this.#hmac, tagAt, lengthAt)
    );
  }

  /** Frees the contexts. Idempotent; nothing may be sealed afterwards. */
  close(): void {
    const { calls } = this.#memory;
    if (this.#cipher !== 0n) calls.cipherFree(this.#cipher);
    if (this.#hmac !== 0n) calls.hmacFree(this.#hmac);
    this.#cipher = this.#hmac = 0n;
  }
}

/** A copy that native code may read from its first byte. */
function owned(key: Buffer): Buffer {
  const copy = nativeBuffer(key.length);
  key.copy(copy);
  return copy;
}
