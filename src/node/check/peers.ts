import { isIP } from "node:net";
import { CONTENT_PROTOCOL } from "@cidcast/protocols/content";
import { REMOTE_ACTION_PROTOCOL } from "@cidcast/protocols/ipfs-kit-mcp";
import { METADATA_PROTOCOL } from "@cidcast/protocols/ipfs-kit-metadata";
import { EventBus, noMetrics, silentLogger, systemClock, toCidcastError } from "../../core/index.ts";
import { createPeer, type Peer, type PeerEvents } from "../../p2p/index.ts";
import { ask, jsonOf } from "./request.ts";
import { type Check, type CheckContext, fail, ok, type Outcome, skipped, unknown, warn } from "./types.ts";

const PROTOCOLS = [CONTENT_PROTOCOL, REMOTE_ACTION_PROTOCOL, METADATA_PROTOCOL, "/ipfs/bitswap/1.2.0"];
const OFF = "libp2p is switched off or could not start.";
const LOOPBACK = /\/(?:ip4\/127\.|ip6\/::1\/)/;
const PRIVATE = /\/(?:ip4\/(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254)\.|ip6\/f[cde])/;

/** Peers: our own seen from a second one, or another one seen from ours. */
export const peerChecks: readonly Check[] = [
  {
    code: "P2P",
    run: async ({ parts }) => {
      if (parts.peer !== undefined)
        return ok(`The peer listens at ${parts.peer.multiaddrs.length} addresses.`);
      const why = parts.missing("p2p") ?? OFF;
      return parts.config.p2p.enabled
        ? fail(`libp2p could not start: ${why}.`, "The log tells why.")
        : skipped("libp2p is switched off.");
    },
  },
  { code: "REACHABILITY", run: reachability },
  { code: "HOLE_PUNCH", run: async ({ parts }) => holePunch(parts.peer?.reachability()) },
  {
    code: "RELAY",
    run: async ({ parts }) => {
      const relayed = parts.peer?.connections().filter(({ address }) => address.includes("/p2p-circuit"));
      if (relayed === undefined || relayed.length === 0) return skipped("No connection goes by a relay.");
      return warn(`${relayed.length} connections go by a relay.`, "Open a port: a direct way is quicker.");
    },
  },
];

/** Whether relayed connections could be turned into direct ones. */
export function holePunch(known: ReturnType<Peer["reachability"]> | undefined): Outcome {
  if (known === undefined) return skipped(OFF);
  const { punches, nat, state } = known;
  if (punches === undefined) return skipped("Hole punching is switched off (p2p.holePunch).");
  const { direct, relayed } = punches;
  if (direct > 0)
    return ok(`${direct} relayed connections were turned into direct ones, ${relayed} were not.`);
  if (relayed > 0) {
    return nat === "endpoint-dependent"
      ? warn(
          "The NAT here maps each connection to another port: holes cannot be punched through it.",
          "Forward a port, or ask the router for one (p2p.upnp); until then relays carry everything.",
        )
      : warn(
          `None of ${relayed} relayed connections could be turned into a direct one.`,
          "Forward a port, or ask the router for one (p2p.upnp).",
        );
  }
  if (state === "public") return skipped("This node can be dialled: nobody has to punch a hole.");
  return skipped("Nobody has come through a relay since the start, so it was not tried.");
}

/** What the peer knows by itself: by those who dialled it back (AutoNAT), its relays and the NAT. Undefined: nothing. */
export function knownReachability(known: ReturnType<Peer["reachability"]> | undefined): Outcome | undefined {
  switch (known?.state) {
    case "public":
      return ok("Others have dialled this node at an address of its own.");
    case "relayed":
      return warn(
        `Others reach this node through ${known.relays.length} relays alone.`,
        "Forward a port, or ask the router for one (p2p.upnp): a direct way is quicker.",
      );
    case "private":
      return warn(
        "This node is behind a NAT, and no relay keeps a place for it: nobody beyond reaches it.",
        "Forward a port, ask the router for one (p2p.upnp), or name relays (p2p.relays).",
      );
    default:
      return undefined;
  }
}

async function reachability({ parts, target, isOther, signal }: CheckContext): Promise<Outcome> {
  const addresses = parts.peer?.multiaddrs ?? [];
  const outer = addresses.filter(address => !LOOPBACK.test(address));
  if (addresses.length === 0) return skipped("The peer listens nowhere.");
  if (isOther && target !== undefined && outer.length > 0) {
    const dialled = await ask(target, "/api/v0/peers/connect", {
      signal,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ address: outer[0] }),
    });
    if (dialled.status === 200) return ok("The other node has dialled this one back.");
    if (dialled.status !== 401 && dialled.status !== 403) {
      return fail(
        "The other node cannot dial this one back.",
        "Open or forward the port, or set p2p.announce.",
      );
    }
  }
  const known = knownReachability(parts.peer?.reachability());
  if (known !== undefined) return known;
  if (outer.length === 0) {
    return skipped("The peer listens on this machine alone, as it does unless told otherwise.");
  }
  if (outer.every(address => PRIVATE.test(address))) {
    return warn(
      "All addresses are of a local network: nobody beyond it reaches them.",
      "Forward a port, or announce an outer address.",
    );
  }
  return unknown(
    "Nobody has tried to reach this node from outside.",
    "Name another node with its token: --against <url>",
  );
}

/** A dial for each transport and a stream for each protocol. */
export async function dialChecks(context: CheckContext): Promise<Check[]> {
  const { parts, all, isOther, target, multiaddr, signal } = context;
  const { peer } = parts;
  if (peer === undefined) return [{ code: "P2P_DIAL", run: async () => skipped(OFF) }];
  if (!all && multiaddr === undefined && !isOther) {
    return [{ code: "P2P_DIAL", run: async () => skipped("Only with --all or --against.") }];
  }
  if (multiaddr !== undefined) return dialsOf([multiaddr], async () => peer);
  if (!isOther || target === undefined) return ownDials(peer);
  const answer = jsonOf(await ask(target, "/api/v0/id", { signal }));
  const addresses = Array.isArray(answer?.["addresses"]) ? answer["addresses"].map(String) : [];
  if (addresses.length > 0) return dialsOf(addresses, async () => peer);
  return [
    {
      code: "P2P_DIAL",
      run: async () => skipped("The other node has no libp2p, or does not tell its addresses."),
    },
  ];
}

/** Dials of ourselves, from a second peer that lives as long as the check. */
function ownDials(peer: Peer): Check[] {
  let made: Promise<Peer> | undefined;
  const second = (): Promise<Peer> => (made ??= secondPeer());
  return [
    ...dialsOf(peer.multiaddrs, second),
    {
      code: "P2P_DIAL",
      subject: "the peer that dialled",
      run: async () => {
        await (await second()).stop();
        return ok("It is gone again.");
      },
    },
  ];
}

async function secondPeer(): Promise<Peer> {
  const peer = createPeer({ listen: [] })({
    blocks: { has: () => false, get: async () => undefined, put: async () => undefined },
    events: new EventBus<PeerEvents>(silentLogger),
    log: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  await peer.start();
  return peer;
}

function dialsOf(addresses: readonly string[], from: () => Promise<Peer>): Check[] {
  const [first] = addresses;
  const dials = addresses.map(
    (address): Check => ({
      code: "P2P_DIAL",
      subject: address.replace(/\/p2p\/[^/]+$/, ""),
      run: async ({ signal }) => {
        const peer = await from();
        const { peerId, encryption, muxer } = await peer.connectToPeer(address, { signal });
        const ms = await peer.ping(peerId, { signal });
        if (address !== addresses.at(-1)) await peer.disconnect(peerId, { signal });
        return ok(`It answers in ${ms} ms, over ${encryption ?? "?"} and ${muxer ?? "?"}.`);
      },
    }),
  );
  const streams = PROTOCOLS.map(
    (protocol): Check => ({
      code: "P2P_PROTOCOL",
      subject: protocol,
      run: async ({ signal }) => {
        const peer = await from();
        const { peerId } = await peer.connectToPeer(first ?? "", { signal });
        try {
          const stream = await peer.newStream(peerId, protocol, { signal });
          stream.abort(new Error("it was only tried"));
          return ok("A stream opens.");
        } catch (error) {
          if (toCidcastError(error).code !== "PROTOCOL_UNSUPPORTED") throw error;
          return warn("The peer does not speak it.", "Nothing, if it is another program.");
        }
      },
    }),
  );
  return [...dials, ...streams];
}

/** Hosts of multiaddrs that are names. */
export function namesOf(addresses: readonly string[]): string[] {
  return addresses
    .flatMap(address => /\/dns(?:4|6|addr)?\/([^/]+)/.exec(address)?.[1] ?? [])
    .filter(name => isIP(name) === 0);
}
