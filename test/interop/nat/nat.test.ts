import { afterEach, describe, expect, type TestContext, test } from "vitest";
import { type Internet, makeInternet, type NatKind } from "./namespaces.ts";
import { NodeIn } from "./node-in.ts";

const MIB = 1024 * 1024;

let stack = new AsyncDisposableStack();

afterEach(async () => {
  const used = stack;
  stack = new AsyncDisposableStack();
  await used.disposeAsync();
});

/** The small internet; where namespaces are not to be had the test is skipped, which the run's report tells. */
function internet(context: TestContext, nat: NatKind): Internet {
  const made = makeInternet(nat);
  if ("missing" in made) return context.skip(made.missing);
  stack.defer(() => made[Symbol.dispose]());
  return made;
}

interface Homes {
  readonly relay: NodeIn;
  readonly a: NodeIn;
  readonly b: NodeIn;
  /** How to reach the second home. */
  readonly address: string;
}

/** A relay, and a node in each home that can be reached through it alone. */
async function homes(net: Internet, relayMaxBytes = 0): Promise<Homes> {
  const listen = [net.relayAddress, net.witnessAddress].map(host => `/ip4/${host}/tcp/4001`);
  const relay = stack.use(await NodeIn.start(net.relay, { listen, relayService: true, relayMaxBytes }));
  const witness = stack.use(
    await NodeIn.start(net.relay, { listen: [`/ip4/${net.witnessAddress}/tcp/4002`] }),
  );
  const at = `/ip4/${net.relayAddress}/tcp/4001/p2p/${relay.peerId}`;
  const connect = [at, `/ip4/${net.witnessAddress}/tcp/4002/p2p/${witness.peerId}`];
  const home = { listen: ["/ip4/0.0.0.0/tcp/4001"], holePunch: true, connect };
  const [a, b] = await Promise.all([
    NodeIn.start(net.homeA, home),
    NodeIn.start(net.homeB, { ...home, relays: [at] }),
  ]);
  stack.use(a);
  stack.use(b);
  await b.until(({ state, nat }) => state === "relayed" && nat !== "unknown");
  await a.until(({ nat }) => nat !== "unknown");
  return { relay, a, b, address: `${at}/p2p-circuit/p2p/${b.peerId}` };
}

describe("between two homes behind NATs", () => {
  test("that map by the inner end alone, a direct connection takes the place of the relay in mid-transfer", async context => {
    const { a, b, address } = await homes(internet(context, "endpoint-independent"));
    expect(await a.state()).toMatchObject({ state: "private", nat: "endpoint-independent" });
    const cid = await b.add(96 * MIB);
    const transfer = await a.transfer(cid, address);
    expect(transfer).toMatchObject({ ok: true, attempts: [] });
    const state = await a.until(({ connections }) =>
      connections.some(({ peerId, relayed }) => peerId === b.peerId && !relayed),
    );
    const direct = state.connections.find(({ peerId, relayed }) => peerId === b.peerId && !relayed);
    expect(direct?.address).toMatch(/^\/ip4\/5\.0\.3\.2\/tcp\/\d+/);
    // The stream was opened over the relay, and moved.
    expect(state.metrics["moved_streams_total"]).toBe(1);
    expect(state.metrics["redundant_blocks_total"] ?? 0).toBe(0);
  });

  test("that map each end anew, the file comes by the relay", async context => {
    const { a, b, address } = await homes(internet(context, "endpoint-dependent"));
    expect(await a.state()).toMatchObject({ state: "private", nat: "endpoint-dependent" });
    const cid = await b.add(16 * MIB);
    expect(await a.transfer(cid, address)).toMatchObject({ ok: true, attempts: [] });
    const { metrics } = await b.until(state => 'hole_punches_total{result="relayed"}' in state.metrics);
    expect(metrics['hole_punches_total{result="direct"}'] ?? 0).toBe(0);
    const { connections } = await a.state();
    expect(connections.filter(({ peerId }) => peerId === b.peerId)).toMatchObject([{ relayed: true }]);
  });

  test("a relay's limit ends no transfer: it goes on over the next connection through it", async context => {
    const { a, b, address } = await homes(internet(context, "endpoint-dependent"), 12 * MIB);
    const cid = await b.add(32 * MIB);
    const transfer = await a.transfer(cid, address);
    expect(transfer.ok).toBe(true);
    expect(transfer.bytes).toBeGreaterThanOrEqual(32 * MIB);
    // Each cut is in the record, with its cause.
    expect(transfer.attempts.length).toBeGreaterThanOrEqual(2);
    expect(transfer.attempts.map(({ code }) => code)).toContain("PEER_UNREACHABLE");
  });
});

test("two nodes of one home find each other by mDNS, and nobody else", async context => {
  const net = internet(context, "endpoint-independent");
  const p2p = { listen: ["/ip4/0.0.0.0/tcp/4001"], mdns: true };
  const [one, other, outside] = await Promise.all([
    NodeIn.start(net.homeA, p2p),
    NodeIn.start(net.homeA2, p2p),
    NodeIn.start(net.homeB, p2p),
  ]);
  for (const node of [one, other, outside]) stack.use(node);
  await one.until(({ connections }) => connections.some(({ peerId }) => peerId === other.peerId));
  expect((await outside.state()).connections).toEqual([]);
});
