import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { type Datastore, Key } from "interface-datastore";

/** Where the private key is kept. */
const PRIVATE_KEY = new Key("/cidcast/peer/private-key");

/** The key that the PeerId is made from: the stored one, or a new Ed25519 key that is stored at once. */
export async function loadOrCreatePrivateKey(datastore: Datastore): Promise<PrivateKey> {
  if (await datastore.has(PRIVATE_KEY)) return privateKeyFromProtobuf(await datastore.get(PRIVATE_KEY));
  const key = await generateKeyPair("Ed25519");
  await datastore.put(PRIVATE_KEY, privateKeyToProtobuf(key));
  return key;
}
