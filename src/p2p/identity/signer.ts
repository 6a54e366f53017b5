import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import { DatabaseDatastore } from "./database-datastore.ts";
import type { PeerDatabase } from "./migrations.ts";
import { loadOrCreatePrivateKey } from "./private-key.ts";

/** Signs with the key that the node's PeerId is made from, whether its peer runs or not. */
export interface NodeSigner {
  /** The signature, and the public key in libp2p's protobuf. */
  sign(bytes: Uint8Array): Promise<{ readonly publicKey: Uint8Array; readonly signature: Uint8Array }>;
}

/** The node's key is read, or made, when something is signed. */
export function createNodeSigner(database: PeerDatabase): NodeSigner {
  return {
    async sign(bytes) {
      const key = await loadOrCreatePrivateKey(new DatabaseDatastore(database));
      return { publicKey: publicKeyToProtobuf(key.publicKey), signature: await key.sign(bytes) };
    },
  };
}
