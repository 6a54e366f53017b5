import type { MultiaddrConnection } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../core/index.ts";
import { DEFAULT_PEER_LIMITS, MAX_ALLOWED_DIALS, MAX_RATED_HOSTS } from "../limits.ts";
import { peerMetrics } from "../metrics.ts";
import { connect, rawCid, startPeer, type TestPeer, until } from "../test-support.ts";
import { ConnectionGate, type DialPolicy } from "./connection-gate.ts";
import { ROLES } from "./roles.ts";

const opened: TestPeer[] = [];

afterEach(async () => {
  for (const peer of opened.splice(0)) await peer[Symbol.asyncDispose]();
});

async function peer(...args: Parameters<typeof startPeer>): Promise<TestPeer> {
  const started = await startPeer(...args);
  opened.push(started);
  return started;
}

/** Counts of the metric of refusals by reason. */
function gateWithCounts(
  openConnections = 0,
  { banned = [], dials = "named" }: { banned?: readonly string[]; dials?: DialPolicy } = {},
) {
  const reasons: string[] = [];
  const clock = new VirtualClock();
  const gate = new ConnectionGate(
    { ...DEFAULT_PEER_LIMITS, maxConnections: 10, maxInboundPerSecond: 3 },
    {
      clock,
      dials,
      isBanned: peerId => banned.includes(peerId),
      openConnections: () => openConnections,
      metrics: peerMetrics({
        counter: () => ({ add: (_value, labels) => void reasons.push(labels?.["reason"] ?? "") }),
        gauge: () => ({ set() {} }),
        histogram: () => ({ observe() {} }),
        beforeScrape: () => undefined,
      }),
    },
  );
  return { gate, clock, reasons };
}

function from(address: string): MultiaddrConnection {
  // The gate reads nothing else of a connection.
  return { remoteAddr: multiaddr(address) } as MultiaddrConnection;
}

describe("the gate", () => {
  test("refuses connections of a host beyond its rate, and takes them again a second later", () => {
    const { gate, clock, reasons } = gateWithCounts();
    const denied = (address: string) => gate.gater.denyInboundConnection?.(from(address));
    for (let i = 0; i < 3; i++) expect(denied(`/ip4/192.0.2.1/tcp/${i + 1}`)).toBe(false);
    expect(denied("/ip4/192.0.2.1/tcp/9")).toBe(true);
    expect(denied("/ip4/192.0.2.2/tcp/9")).toBe(false);
    clock.advance(1000);
    expect(denied("/ip4/192.0.2.1/tcp/9")).toBe(false);
    expect(reasons).toEqual(["inbound_rate"]);
  });

  test("refuses connections beyond the most there may be", () => {
    const { gate, reasons } = gateWithCounts(10);
    expect(gate.gater.denyInboundConnection?.(from("/ip4/192.0.2.1/tcp/1"))).toBe(true);
    expect(reasons).toEqual(["max_connections"]);
  });

  test("remembers a bounded number of hosts", () => {
    const { gate } = gateWithCounts();
    const denied = (address: string) => gate.gater.denyInboundConnection?.(from(address));
    for (let i = 0; i < 4; i++) void denied("/ip4/192.0.2.1/tcp/1");
    for (let i = 0; i < MAX_RATED_HOSTS; i++) void denied(`/ip4/10.0.${i >> 8}.${i & 255}/tcp/1`);
    expect(denied("/ip4/192.0.2.1/tcp/1")).toBe(false);
  });

  test("lets only peers be dialled that were named, the latest of them", async () => {
    const [named, other] = [await peer(), await peer()];
    const { gate, reasons } = gateWithCounts();
    const ids = [named, other].map(({ peer }) => peer.id);
    const denied = (id: string | undefined) => gate.gater.denyDialPeer?.({ toString: () => id } as never);
    gate.allowDial(ids[0] ?? "");
    expect(denied(ids[0])).toBe(false);
    expect(denied(ids[1])).toBe(true);
    for (let i = 0; i < MAX_ALLOWED_DIALS; i++) gate.allowDial(`peer-${i}`);
    expect(denied(ids[0])).toBe(true);
    expect(reasons).toEqual(["dial_not_asked_for", "dial_not_asked_for"]);
  });
});

describe("strangers", () => {
  const stranger = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
  const own = multiaddr(`/ip4/192.168.1.5/tcp/1/p2p/${stranger}`);
  const open = multiaddr(`/ip4/8.8.8.8/tcp/1/p2p/${stranger}`);

  test.each([
    { dials: "named", peer: false, private: true, public: true },
    { dials: "local", peer: true, private: true, public: false },
    { dials: "public", peer: true, private: false, public: true },
    { dials: "any", peer: true, private: true, public: true },
  ] as const)("are dialled by the policy $dials alone", policy => {
    const { gate } = gateWithCounts(0, { dials: policy.dials });
    expect(gate.gater.denyDialPeer?.(peerIdFromString(stranger))).toBe(!policy.peer);
    expect(gate.gater.denyDialMultiaddr?.(own)).toBe(!policy.private);
    expect(gate.gater.denyDialMultiaddr?.(open)).toBe(!policy.public);
    gate.allowDial(stranger);
    expect(gate.gater.denyDialPeer?.(peerIdFromString(stranger))).toBe(false);
    expect([own, open].map(address => gate.gater.denyDialMultiaddr?.(address))).toEqual([false, false]);
  });

  test("that are banned are neither dialled, nor let in, nor carried", () => {
    const { gate, reasons } = gateWithCounts(0, { banned: [stranger], dials: "any" });
    const id = peerIdFromString(stranger);
    gate.allowDial(stranger);
    expect(gate.gater.denyDialPeer?.(id)).toBe(true);
    expect(gate.gater.denyInboundEncryptedConnection?.(id, from("/ip4/192.0.2.1/tcp/1"))).toBe(true);
    expect(gate.gater.denyInboundRelayReservation?.(id)).toBe(true);
    expect(new Set(reasons)).toEqual(new Set(["banned"]));
  });
});

test("a peer told nothing dials nobody: not those it hears of, not those it knew, not those who want a hole punched", async () => {
  const [a, b] = [await peer(), await peer()];
  await b.peer.connectToPeer(a.address);
  await until(() => a.peer.connections().length === 1);
  await b.peer.disconnect(a.peer.id);
  await until(() => a.peer.connections().length === 0);
  await a.peer.startDiscovery();
  await expect(a.peer.fetchBlock(rawCid(Buffer.from("x")))).rejects.toMatchObject({
    code: "CONTENT_NOT_FOUND",
  });
  await expect(a.peer.routing.findPeer(b.peer.id)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
  expect(a.peer.connections()).toEqual([]);
  await expect(b.peer.connectToPeer(a.address)).resolves.toBeDefined();
  for (const protocol of [
    "/libp2p/dcutr",
    "/ipfs/lan/kad/1.0.0",
    "/libp2p/autonat/1.0.0",
    "/meshsub/1.1.0",
    "/libp2p/circuit/relay/0.2.0/hop",
  ]) {
    await expect(b.peer.newStream(a.peer.id, protocol)).rejects.toMatchObject({
      code: "PROTOCOL_UNSUPPORTED",
    });
  }
});

describe("connections of a real peer", () => {
  test("end at its limit", async () => {
    const full = await peer({ limits: { maxConnections: 2 } });
    const [a, b, c] = [await peer(), await peer(), await peer()];
    await a.peer.connectToPeer(full.address);
    await b.peer.connectToPeer(full.address);
    await expect(c.peer.connectToPeer(full.address)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(full.peer.connections()).toHaveLength(2);
  });

  test("end at the limit of its role", async () => {
    const { maxConnections } = ROLES.leecher;
    const leecher = await peer({ role: "leecher", limits: { maxInboundPerSecond: 1000 } });
    const others = await Promise.all(Array.from({ length: maxConnections + 1 }, () => peer()));
    const last = others.pop();
    await Promise.all(others.map(other => other.peer.connectToPeer(leecher.address)));
    await until(() => leecher.peer.connections().length === maxConnections);
    await expect(last?.peer.connectToPeer(leecher.address)).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
    });
  });

  test("are refused beyond the rate of their host", async () => {
    const clock = new VirtualClock();
    const guarded = await peer({ limits: { maxInboundPerSecond: 1 } }, { clock });
    const [a, b] = [await peer(), await peer()];
    await a.peer.connectToPeer(guarded.address);
    await expect(b.peer.connectToPeer(guarded.address)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    clock.advance(1000);
    expect((await b.peer.connectToPeer(guarded.address)).peerId).toBe(guarded.peer.id);
  });

  test("are not made back to a peer that dialled us and left, but on the owner's order", async () => {
    const [a, b] = [await peer(), await peer()];
    await connect(a, b);
    const bytes = new Uint8Array([1, 2, 3]);
    await expect(a.peer.fetchBlock(rawCid(bytes))).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    await a.peer.disconnect(b.peer.id);
    await until(() => b.peer.connections().length === 0);
    // Bitswap would dial to hand over what was asked for before.
    await b.peer.announceBlock(b.blocks.add(bytes));
    expect(b.peer.connections()).toEqual([]);
    expect((await b.peer.connectToPeer(a.address)).direction).toBe("outbound");
  });
});
