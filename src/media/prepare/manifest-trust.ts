import { manifestSignature, SIGNATURE_PREFIX } from "@cidcast/protocols/media-manifest";
import { decode } from "@ipld/dag-cbor";
import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { linkOf } from "./manifest-reader.ts";

export interface ManifestTrust {
  /** PeerIds of signers; none: manifests need no signature. */
  readonly signers: readonly string[];
  /** Who signed bytes; undefined when the signature is not of that key. */
  readonly signerOf: (signed: {
    readonly bytes: Uint8Array;
    readonly publicKey: Uint8Array;
    readonly signature: Uint8Array;
  }) => Promise<string | undefined>;
}

/** Multihash code of bytes that are in the CID itself. */
const IDENTITY = 0;

/**
 * The root that a reference stands for: itself, or what a signature (a CID that carries its own block) was made of, once
 * that is proven. `SIGNATURE_REFUSED` with the reason.
 */
export async function trustedRoot(ref: string, trust: ManifestTrust | undefined): Promise<string> {
  const cid = CID.parse(ref);
  if (cid.multihash.code !== IDENTITY) {
    if (trust !== undefined && trust.signers.length > 0) {
      throw refused(
        `${ref} is not signed, and this node plays manifests of trusted signers alone: give the CID of a signature`,
      );
    }
    return ref;
  }
  if (trust === undefined) throw refused("this node checks no signatures");
  const { manifest, publicKey, signature } = parse(cid);
  const root = linkOf(manifest);
  const prefix = new TextEncoder().encode(SIGNATURE_PREFIX);
  const signer = await trust.signerOf({ bytes: Buffer.concat([prefix, root.bytes]), publicKey, signature });
  if (signer === undefined) throw refused(`the signature of ${root.toString()} is not of the key beside it`);
  if (trust.signers.length > 0 && !trust.signers.includes(signer)) {
    throw refused(`${root.toString()} is signed by ${signer}, who is not among the trusted signers`);
  }
  return root.toString();
}

function parse(cid: CID) {
  try {
    return manifestSignature.parse(decode(cid.multihash.digest));
  } catch (error) {
    throw refused("the CID carries no signature of a manifest", error);
  }
}

function refused(why: string, cause?: unknown): CidcastError {
  return new CidcastError(
    "SIGNATURE_REFUSED",
    `The manifest is refused: ${why}`,
    cause === undefined ? {} : { cause },
  );
}
