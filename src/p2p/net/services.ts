import type { Libp2pInit } from "libp2p";
import type { Datastore } from "interface-datastore";
import {
  MAX_DHT_STREAMS,
  MAX_PUBSUB_MESSAGE_BYTES,
  MAX_RELAY_STREAMS,
  RELAY_RESERVATION_TTL_MS,
  RELAY_TIMEOUT_MS,
} from "../limits.ts";
import { ANNOUNCE_TOPICS } from "../routing/announcements.ts";
import type { NetworkInit } from "../types.ts";
import { createDhtDatastore } from "./bounded-datastore.ts";
import type { Role } from "./roles.ts";

/** The DHT of the public network, and that of local networks. @see https://specs.ipfs.tech/routing/kad-dht/ */
export const DHT_PROTOCOLS = { wan: "/ipfs/kad/1.0.0", lan: "/ipfs/lan/kad/1.0.0" } as const;

/** Longest between two rounds in which the DHT's own provider records are looked through, milliseconds. */
const DHT_CLEANUP_MS = 3600 * 1000;

type Services = NonNullable<Libp2pInit["services"]>;

/** What a node has beyond connections: each is left out, and its code not loaded, unless it is asked for. */
export interface OptionalServices {
  readonly services: Services;
  readonly peerDiscovery: NonNullable<Libp2pInit["peerDiscovery"]>;
}

export async function optionalServices(network: NetworkInit, role: Role): Promise<OptionalServices> {
  const services: Services = {};
  const peerDiscovery: NonNullable<Libp2pInit["peerDiscovery"]> = [];
  if (network.dht !== undefined) services["dht"] = await dht(network.dht, role);
  if (network.relayService !== undefined) {
    const { circuitRelayServer } = await import("@libp2p/circuit-relay-v2");
    const { maxReservations, maxBytes, maxDurationMs } = network.relayService;
    services["relay"] = circuitRelayServer({
      hopTimeout: RELAY_TIMEOUT_MS,
      reservations: {
        maxReservations,
        applyDefaultLimit: maxBytes > 0,
        defaultDataLimit: BigInt(maxBytes),
        defaultDurationLimit: maxDurationMs,
        reservationTtl: RELAY_RESERVATION_TTL_MS,
      },
      maxInboundHopStreams: MAX_RELAY_STREAMS,
      maxOutboundHopStreams: MAX_RELAY_STREAMS,
      maxOutboundStopStreams: MAX_RELAY_STREAMS,
    });
  }
  if (network.autoNat === true) {
    const { autoNAT } = await import("@libp2p/autonat");
    services["autoNAT"] = autoNAT({ startupDelay: 1000, refreshInterval: 30_000 });
  }
  if (network.upnp === true) {
    const { uPnPNAT } = await import("@libp2p/upnp-nat");
    services["upnp"] = uPnPNAT({
      portMappingDescription: "cidcast",
      // Where no peer tries the address, the router's word counts; libp2p does not start without either.
      autoConfirmAddress: network.autoNat !== true,
      ...(network.upnpGateways !== undefined &&
        network.upnpGateways.length > 0 && { gateways: [...network.upnpGateways] }),
    });
  }
  if (network.pubsub === true) {
    const { gossipsub } = await import("@libp2p/gossipsub");
    services["pubsub"] = gossipsub({
      allowPublishToZeroTopicPeers: true,
      ignoreDuplicatePublishError: true,
      // Others' topics would fill the tables of this node.
      allowedTopics: [...ANNOUNCE_TOPICS],
      maxInboundDataLength: MAX_PUBSUB_MESSAGE_BYTES,
    });
  }
  if (network.mdns === true) {
    const { mdns } = await import("@libp2p/mdns");
    peerDiscovery.push(mdns());
  }
  return { services, peerDiscovery };
}

async function dht(kind: "lan" | "wan", role: Role): Promise<Services[string]> {
  const { kadDHT, removePrivateAddressesMapper, passthroughMapper } = await import("@libp2p/kad-dht");
  const create = kadDHT({
    protocol: DHT_PROTOCOLS[kind],
    clientMode: role.dht === "client",
    // Addresses of somebody's own network mean nothing in the public one.
    peerInfoMapper: kind === "wan" ? removePrivateAddressesMapper : passthroughMapper,
    allowQueryWithZeroPeers: true,
    maxInboundStreams: MAX_DHT_STREAMS,
    maxOutboundStreams: MAX_DHT_STREAMS,
    initialQuerySelfInterval: 1000,
    // What this node provides is provided anew by its own schedule: see routing/provider.ts.
    reprovide: { interval: DHT_CLEANUP_MS, threshold: 0 },
  });
  // libp2p hands all services to each of them; that ping is there is seen in libp2p-node.ts.
  const components = (given: unknown): Parameters<typeof create>[0] => given as Parameters<typeof create>[0];
  return given => create(withDatastore(components(given), createDhtDatastore()));
}

/** The same components with another datastore: what others put into the DHT has a place of its own, with a bound. */
function withDatastore<C extends object>(components: C, datastore: Datastore): C {
  return new Proxy(components, {
    get: (target, key) => (key === "datastore" ? datastore : Reflect.get(target, key)),
  });
}
