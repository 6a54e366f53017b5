import { publicKeyFromProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey } from "@libp2p/peer-id";

/** Who signed bytes: the PeerId of a public key in libp2p's protobuf; undefined when the signature is not of that key. */
export async function signerOf(signed: {
  readonly bytes: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}): Promise<string | undefined> {
  try {
    const key = publicKeyFromProtobuf(signed.publicKey);
    const good = await key.verify(signed.bytes, signed.signature);
    return good ? peerIdFromPublicKey(key).toString() : undefined;
  } catch {
    // No key, or one of a kind that is not known: nobody's signature.
    return undefined;
  }
}
