import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, scryptSync } from "node:crypto";
import { CidcastError } from "../../core/index.ts";
import { MIN_PASSPHRASE_LENGTH } from "../limits.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "v1";

/** Seals texts with AES-256-GCM. What is sealed opens only under the same place, so rows cannot be swapped. */
export interface SecretBox {
  /** Short id of the key in use. */
  readonly keyId: string;
  seal(text: string, place: readonly string[]): string;
  /** `STORAGE_FAILED` when it was tampered with, or sealed with a key that is not here. */
  open(sealed: string, place: readonly string[]): string;
  /** True when the text was sealed with the key in use. */
  isCurrent(sealed: string): boolean;
}

/** Bytes of a key given as text: 32 bytes in hex or base64 (with either alphabet), or a passphrase, stretched by scrypt. */
export function keyFromText(text: string): Buffer {
  const trimmed = text.trim();
  if (/^[\da-f]{64}$/i.test(trimmed)) return Buffer.from(trimmed, "hex");
  if (/^[\w+/-]{43}=?$/.test(trimmed)) {
    const bytes = Buffer.from(trimmed, "base64url");
    if (bytes.length === KEY_BYTES) return bytes;
  }
  if (trimmed.length < MIN_PASSPHRASE_LENGTH) {
    throw new CidcastError(
      "INVALID_CONFIG",
      `MCP_ENCRYPTION_KEY has to be 32 bytes in hex or base64, or a passphrase of at least ${MIN_PASSPHRASE_LENGTH} characters`,
    );
  }
  // The salt is fixed because the key has to come out the same on every machine that shares the database.
  return scryptSync(trimmed, "cidcast credential key v1", KEY_BYTES, {
    N: 2 ** 15,
    r: 8,
    maxmem: 64 * 1024 ** 2,
  });
}

/** A box that seals with the first key and opens with any of them. */
export function createSecretBox(keys: readonly [Buffer, ...Buffer[]]): SecretBox {
  const ring = keys.map(root => {
    const key = Buffer.from(hkdfSync("sha256", root, "", "cidcast credentials v1", KEY_BYTES));
    return { key, id: createHash("sha256").update("key id\0").update(key).digest("hex").slice(0, 8) };
  });
  const current = ring[0];
  if (current === undefined) throw new CidcastError("INVALID_CONFIG", "A secret box needs a key");
  return {
    keyId: current.id,
    seal(text, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", current.key, nonce);
      cipher.setAAD(Buffer.from(JSON.stringify(place)));
      const bytes = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `${VERSION}.${current.id}.${bytes.toString("base64url")}`;
    },
    open(sealed, place) {
      const [version, id, body] = sealed.split(".");
      const entry = ring.find(candidate => candidate.id === id);
      if (version !== VERSION || entry === undefined || body === undefined) {
        throw new CidcastError(
          "STORAGE_FAILED",
          "A credential was sealed with a key that this node does not have",
        );
      }
      const bytes = Buffer.from(body, "base64url");
      const decipher = createDecipheriv("aes-256-gcm", entry.key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(JSON.stringify(place)));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString("utf8");
      } catch (cause) {
        throw new CidcastError("STORAGE_FAILED", "A stored credential was changed and cannot be opened", {
          cause,
        });
      }
    },
    isCurrent: sealed => sealed.startsWith(`${VERSION}.${current.id}.`),
  };
}
