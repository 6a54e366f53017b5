import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";

/** What is used of the DHT to tell of content. */
interface ProvidingDht {
  provide(cid: CID, options: { readonly signal: AbortSignal }): AsyncIterable<{ readonly name: string }>;
}

/** Tells the DHT that this node has a CID. `PEER_UNREACHABLE` when nobody took it: libp2p itself would call that done. */
export async function provideInDht(service: unknown, cid: string, signal: AbortSignal): Promise<void> {
  if (!isProvidingDht(service)) throw new CidcastError("FEATURE_DISABLED", "There is no DHT");
  let took = 0;
  for await (const { name } of service.provide(CID.parse(cid), { signal })) {
    if (name === "PEER_RESPONSE") took++;
  }
  if (took === 0) throw new CidcastError("PEER_UNREACHABLE", "No peer of the DHT answered");
}

function isProvidingDht(service: unknown): service is ProvidingDht {
  return typeof service === "object" && service !== null && "provide" in service;
}
