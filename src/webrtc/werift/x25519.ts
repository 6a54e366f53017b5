import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";

const PKCS8_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b656e032100", "hex");
const KEY_BYTES = 32;

interface Nacl {
  readonly box: { keyPair: () => { publicKey: Uint8Array; secretKey: Uint8Array } };
  scalarMult: (secret: Uint8Array, point: Uint8Array) => Uint8Array;
}

/**
 * Lets werift compute X25519, which browsers choose, with OpenSSL instead of JavaScript. It gets its functions from the
 * CommonJS package tweetnacl, so this replaces them there, once per thread. False when the package cannot be found: then
 * all works as before, a little slower.
 */
export function installNativeX25519(): boolean {
  let nacl: Nacl;
  try {
    nacl = createRequire(createRequire(import.meta.url).resolve("werift"))("tweetnacl") as Nacl;
  } catch {
    return false;
  }
  nacl.box.keyPair = keyPair;
  nacl.scalarMult = scalarMult;
  return true;
}

/** A new pair, as raw 32-byte keys. */
export function keyPair(): { publicKey: Uint8Array; secretKey: Uint8Array } {
  const pair = generateKeyPairSync("x25519", {
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  // Copies: the package takes the whole ArrayBuffer behind each.
  return {
    publicKey: Uint8Array.from(pair.publicKey.subarray(-KEY_BYTES)),
    secretKey: Uint8Array.from(pair.privateKey.subarray(-KEY_BYTES)),
  };
}

/** The shared secret. Throws for a point of small order, as RFC 7748 section 6.1 lets one do. */
export function scalarMult(secret: Uint8Array, point: Uint8Array): Uint8Array {
  const der = (prefix: Buffer, key: Uint8Array): Buffer => Buffer.concat([prefix, key]);
  return diffieHellman({
    privateKey: createPrivateKey({ key: der(PKCS8_PREFIX, secret), format: "der", type: "pkcs8" }),
    publicKey: createPublicKey({ key: der(SPKI_PREFIX, point), format: "der", type: "spki" }),
  });
}
