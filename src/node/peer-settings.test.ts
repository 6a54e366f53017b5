import { describe, expect, test } from "vitest";
import { parseConfig } from "../config/index.ts";
import { peerInitOf } from "./peer-settings.ts";

/** Everything that could lead to a contact that nobody named. */
const ALONE = {
  dht: undefined,
  mdns: false,
  relays: [],
  relayService: undefined,
  holePunch: false,
  autoNat: false,
  upnp: false,
  upnpGateways: [],
  pubsub: false,
  routers: [],
  provide: true,
};

describe("the libp2p peer of a node", () => {
  test("keeps to itself on loopback unless it is told otherwise", () => {
    expect(peerInitOf(parseConfig({}))).toMatchObject({
      role: "worker",
      listen: ["/ip4/127.0.0.1/tcp/0"],
      connect: [],
      bootstrapPeers: [],
      network: ALONE,
    });
  });

  test("joins the public network by one setting, and leaves out of it what is switched off", () => {
    const { listen, bootstrapPeers, network } = peerInitOf(
      parseConfig({ public: true, p2p: { upnp: false } }),
    );
    expect(listen).toContain("/ip4/0.0.0.0/tcp/4001");
    expect(bootstrapPeers?.[0]).toMatch(/^\/dnsaddr\/bootstrap\.libp2p\.io\/p2p\/Qm/);
    expect(network).toEqual({ ...ALONE, dht: "wan", mdns: true, holePunch: true, autoNat: true });
  });

  test("takes single parts without the public network", () => {
    const relay = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWJbSpURs9kkA2Wkom9xWZHYTYJ8eG2bwcYHdjxfy1s6Bq";
    const p2p = {
      dht: "lan",
      mdns: true,
      relays: [relay],
      holePunch: true,
      routers: ["https://router.example"],
    } as const;
    expect(
      peerInitOf(parseConfig({ p2p: { ...p2p, routers: [...p2p.routers], relays: [relay] } })).network,
    ).toEqual({
      ...ALONE,
      ...p2p,
    });
    expect(() => parseConfig({ p2p: { relays: ["relay.example:4001"] } })).toThrow(/multiaddr/);
  });

  test("carries others by option, within limits, where its role does", () => {
    const relayService = { maxReservations: 8, maxBytes: 1000, maxDurationMs: 60_000 };
    const p2p = {
      relayService: true,
      relayMaxReservations: relayService.maxReservations,
      relayMaxBytes: relayService.maxBytes,
      relayMaxDurationMs: relayService.maxDurationMs,
    };
    expect(peerInitOf(parseConfig({ p2p })).network?.relayService).toEqual(relayService);
    expect(
      peerInitOf(parseConfig({ p2p: { ...p2p, role: "leecher" } })).network?.relayService,
    ).toBeUndefined();
  });
});
