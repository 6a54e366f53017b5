import { hash } from "node:crypto";
import {
  MAX_PAYLOAD_BYTES,
  METADATA_SIGNATURE_PREFIX,
  type MetadataPayload,
  metadataPayload,
  type SignedRecord,
} from "@cidcast/protocols/ipfs-kit-metadata";
import { publicKeyFromProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import { CidcastError } from "../../core/index.ts";

const RAW = 0x55;
const SHA2_256 = 0x12;

/** A record whose signature fits. */
export interface VerifiedRecord {
  readonly id: string;
  readonly payload: MetadataPayload;
  readonly signed: SignedRecord;
}

/** Signs with the node's key; see `createNodeSigner`. */
export interface MetadataSigner {
  sign(bytes: Uint8Array): Promise<{ readonly publicKey: Uint8Array; readonly signature: Uint8Array }>;
}

/** Signs a payload; its bytes are those of its JSON as it is now. */
export async function signRecord(payload: MetadataPayload, signer: MetadataSigner): Promise<VerifiedRecord> {
  const bytes = Buffer.from(JSON.stringify(payload));
  if (bytes.byteLength > MAX_PAYLOAD_BYTES) {
    throw new CidcastError("PAYLOAD_TOO_LARGE", `A record has at most ${MAX_PAYLOAD_BYTES} bytes`);
  }
  const { publicKey, signature } = await signer.sign(signedBytes(bytes));
  const signed = {
    payload: bytes.toString("base64"),
    public_key: Buffer.from(publicKey).toString("base64"),
    signature: Buffer.from(signature).toString("base64"),
  };
  return { id: idOf(bytes), payload, signed };
}

/** PeerId of a public key in libp2p's protobuf. */
export function authorOf(publicKey: Uint8Array): string {
  return peerIdFromPublicKey(publicKeyFromProtobuf(publicKey)).toString();
}

/** Reads a record and checks that its author signed it. `INVALID_REQUEST`, `FORBIDDEN`, `PAYLOAD_TOO_LARGE`. */
export async function verifyRecord(signed: SignedRecord): Promise<VerifiedRecord> {
  const bytes = Buffer.from(signed.payload, "base64");
  if (bytes.byteLength > MAX_PAYLOAD_BYTES) {
    throw new CidcastError("PAYLOAD_TOO_LARGE", `A record has at most ${MAX_PAYLOAD_BYTES} bytes`);
  }
  const payload = parsePayload(bytes);
  let isValid = false;
  try {
    const key = publicKeyFromProtobuf(Buffer.from(signed.public_key, "base64"));
    const isAuthor = peerIdFromPublicKey(key).toString() === payload.author;
    isValid = isAuthor && (await key.verify(signedBytes(bytes), Buffer.from(signed.signature, "base64")));
  } catch (cause) {
    throw new CidcastError("FORBIDDEN", "The record's key or signature cannot be read", { cause });
  }
  if (!isValid) throw new CidcastError("FORBIDDEN", `The record was not signed by ${payload.author}`);
  return { id: idOf(bytes), payload, signed };
}

function parsePayload(bytes: Buffer): MetadataPayload {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new CidcastError("INVALID_REQUEST", "The record's payload is not JSON", { cause });
  }
  const parsed = metadataPayload.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new CidcastError(
      "INVALID_REQUEST",
      `payload ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
    );
  }
  if (parsed.data.version === 1 ? parsed.data.replaces !== null : parsed.data.replaces === null) {
    throw new CidcastError(
      "INVALID_REQUEST",
      "The first version replaces nothing, and every other one something",
    );
  }
  try {
    CID.parse(parsed.data.cid);
  } catch (cause) {
    throw new CidcastError("INVALID_CID", `${parsed.data.cid.slice(0, 80)} is not a CID`, { cause });
  }
  return parsed.data;
}

function signedBytes(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(METADATA_SIGNATURE_PREFIX), payload]);
}

function idOf(payload: Uint8Array): string {
  return CID.createV1(RAW, createDigest(SHA2_256, hash("sha256", payload, "buffer"))).toString();
}
