import type { Config } from "../config/index.ts";
import { type NetworkInit, type PeerInit, ROLES } from "../p2p/index.ts";

/** Where the public network is entered. @see https://docs.ipfs.tech/how-to/modify-bootstrap-list/ */
const PUBLIC_BOOTSTRAP = [
  "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
  "QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
  "QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
  "QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
].map(id => `/dnsaddr/bootstrap.libp2p.io/p2p/${id}`);

const PUBLIC_LISTEN = ["/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/tcp/4001/ws", "/ip6/::/tcp/4001"];
const PRIVATE_LISTEN = ["/ip4/127.0.0.1/tcp/0"];

/** What the settings say of the libp2p peer. Without `public` nothing is contacted that is not named. */
export function peerInitOf(config: Config): PeerInit {
  const { p2p, public: isPublic } = config;
  return {
    role: p2p.role,
    listen: p2p.listen ?? (isPublic ? PUBLIC_LISTEN : PRIVATE_LISTEN),
    announce: p2p.announce,
    connect: p2p.connect,
    bootstrapPeers: p2p.bootstrapPeers ?? (isPublic ? PUBLIC_BOOTSTRAP : []),
    network: networkOf(config),
    reprovideIntervalMs: p2p.reprovideIntervalMs,
  };
}

function networkOf({ p2p, public: isPublic }: Config): NetworkInit {
  const role = ROLES[p2p.role];
  const dht = p2p.dht === "auto" ? (isPublic ? "wan" : "off") : p2p.dht;
  return {
    dht: dht === "off" ? undefined : dht,
    mdns: p2p.mdns ?? isPublic,
    relays: role.relayClient ? p2p.relays : [],
    relayService:
      p2p.relayService && role.relayService
        ? {
            maxReservations: p2p.relayMaxReservations,
            maxBytes: p2p.relayMaxBytes,
            maxDurationMs: p2p.relayMaxDurationMs,
          }
        : undefined,
    holePunch: p2p.holePunch ?? isPublic,
    autoNat: p2p.autoNat ?? isPublic,
    upnp: p2p.upnp ?? isPublic,
    upnpGateways: p2p.upnpGateways,
    pubsub: p2p.pubsub,
    routers: p2p.routers,
    provide: p2p.provide,
  };
}
