import { z } from "zod";
import { httpUrl, milliseconds } from "./values.ts";

const multiaddrs = z.array(z.string().startsWith("/", "is not a multiaddr"));
const follows = "Default: as `public`.";

/** Settings of the libp2p peer. */
export const p2p = z.strictObject({
  enabled: z.boolean().default(true).describe("Run a libp2p peer."),
  role: z
    .enum(["master", "worker", "leecher", "gateway"])
    .default("worker")
    .describe(
      "What the node is among its peers: how it takes part in a DHT, whom it carries, how many it knows.",
    ),
  listen: z
    .array(z.string().min(1))
    .optional()
    .describe(
      "Multiaddrs the peer listens on. Default: a free TCP port of loopback; with `public` port 4001 of all interfaces, TCP and WebSocket.",
    ),
  announce: multiaddrs.default([]).describe("Multiaddrs told to others instead of those listened on."),
  connect: z.array(z.string().min(1)).default([]).describe("Multiaddrs of peers to stay connected to."),
  bootstrapPeers: multiaddrs
    .optional()
    .describe(
      "Multiaddrs of peers through which others are found. Default: none; with `public` those of the public network.",
    ),
  dht: z
    .enum(["auto", "off", "lan", "wan"])
    .default("auto")
    .describe(
      "Take part in a DHT: that of the local network or the public one. `auto`: `wan` with `public`, else `off`.",
    ),
  mdns: z
    .boolean()
    .optional()
    .describe(`Find peers of the same local network, and be found there. ${follows}`),
  relays: multiaddrs
    .default([])
    .describe("Multiaddrs of relays that this node can be reached through; it stays connected to them."),
  relayService: z
    .boolean()
    .default(false)
    .describe("Carry connections of peers that cannot be dialled. Roles `leecher` and `gateway` do not."),
  relayMaxReservations: z
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(64)
    .describe("Peers that a relay is reserved for."),
  relayMaxBytes: z
    .number()
    .int()
    .min(0)
    .default(16 * 1024 ** 3)
    .describe("Bytes of one relayed connection, both ways together; 0: no limit on bytes and time."),
  relayMaxDurationMs: milliseconds
    .max(2 ** 31 - 1)
    .default(6 * 3600 * 1000)
    .describe("Longest a relayed connection lasts, milliseconds."),
  holePunch: z.boolean().optional().describe(`Turn relayed connections into direct ones (DCUtR). ${follows}`),
  autoNat: z
    .boolean()
    .optional()
    .describe(`Let peers try whether this node can be dialled, and try others. ${follows}`),
  upnp: z.boolean().optional().describe(`Ask the local router for a port. ${follows}`),
  upnpGateways: z
    .array(httpUrl)
    .default([])
    .describe(
      "Descriptions of routers to ask for a port, for instance `http://192.168.1.1:5000/rootDesc.xml`, instead of those that a search of the local network finds.",
    ),
  pubsub: z
    .boolean()
    .default(false)
    .describe(
      "Tell other nodes of this family of content that is added, by gossipsub, and hear what they tell.",
    ),
  routers: z
    .array(httpUrl)
    .default([])
    .describe(
      "HTTP routers (`/routing/v1`) that are asked who has content, for instance `https://delegated-ipfs.dev`.",
    ),
  provide: z
    .boolean()
    .default(true)
    .describe("Tell the DHT and other nodes what is here, where there is one."),
  reprovideIntervalMs: milliseconds
    .min(60_000)
    .max(2 ** 31 - 1)
    .default(22 * 3600 * 1000)
    .describe("How often all content is told anew, milliseconds: others forget it after two days."),
  encryption: z
    .array(z.enum(["tls", "noise"]))
    .min(1)
    .default(["tls", "noise"])
    .describe("Encryption of connections that is offered, best first. Every peer speaks noise."),
  fastTls: z
    .boolean()
    .default(false)
    .describe(
      "Hand TCP sockets to TLS as they are: more bytes for less processor time, by means that libp2p does not publish.",
    ),
  grantedPeers: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "PeerIds that may ask this node for everything over `/ipfs-kit/mcp/1.0.0`; others may read what they know the CID of.",
    ),
  serve: z
    .enum(["everybody", "granted"])
    .default("everybody")
    .describe(
      "Which peers get blocks, files and records whose CID they know: `granted` are those of `p2p.grantedPeers`, and who shows a token where a protocol takes one.",
    ),
  peerTokens: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Peers that act with a tenant's token without showing it, each as `<PeerId>=<id of the token>`; revoking the token ends it.",
    ),
});
