import { CidcastError, messageOf } from "../../../../core/index.ts";
import type { SrtpKeys } from "../../srtp/srtp-keys.ts";
import { SLOT_BYTES } from "../limits.ts";
import { RtpHeader } from "../rtp-header.ts";
import { Sealer } from "../sealer.ts";
import type { NativeCalls } from "./native.ts";
import { NativeSealer, nativeBuffer, SealerMemory } from "./native-sealer.ts";

const PROFILES: readonly SrtpKeys[] = [
  {
    profile: "aead-aes-128-gcm",
    key: Buffer.alloc(16, 1),
    salt: Buffer.alloc(12, 2),
    auth: Buffer.alloc(0),
  },
  {
    profile: "aes-128-cm-hmac-sha1-80",
    key: Buffer.alloc(16, 3),
    salt: Buffer.alloc(14, 4),
    auth: Buffer.alloc(20, 5),
  },
];
const STREAM = {
  ssrc: 0x9234_5678,
  payloadType: 102,
  mid: { id: 1, value: "0" },
  twccId: 3,
  firstSequence: 7,
};

/**
 * Encrypts known packets with both sealers: a wrong calling convention or an unexpected OpenSSL must not reach a viewer.
 * `FEATURE_DISABLED` when they differ.
 */
export function checkSealing(calls: NativeCalls): void {
  try {
    const memory = new SealerMemory(calls);
    for (const keys of PROFILES) for (const prefix of [undefined, 65_500]) compare(memory, keys, prefix);
  } catch (error) {
    const why = `native encryption is not to be trusted here: ${messageOf(error)}`;
    throw new CidcastError("FEATURE_DISABLED", why, { cause: error });
  }
}

function compare(memory: SealerMemory, keys: SrtpKeys, prefix: number | undefined): void {
  const header = new RtpHeader(STREAM);
  header.rollovers = 3;
  header.fill(90_000, true, 9);
  const payload = nativeBuffer(1100).fill(6);
  const wanted = Buffer.alloc(SLOT_BYTES);
  const bytes = new Sealer(keys).seal(header, payload, prefix, wanted, 0);
  const arena = nativeBuffer(SLOT_BYTES);
  const sealer = new NativeSealer(memory, keys);
  try {
    // Twice: the second packet comes out of a context that has been used.
    for (let i = 0; i < 2; i++) {
      const target = { arena, at: 0, address: memory.calls.address(arena) };
      const body = sealer.seal(header, payload, prefix ?? -1, target);
      const head = header.bytes.length;
      if (!arena.subarray(0, body).equals(wanted.subarray(head, bytes)))
        throw new Error(`${keys.profile} differs`);
    }
  } finally {
    sealer.close();
  }
}
