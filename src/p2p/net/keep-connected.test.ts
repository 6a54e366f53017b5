import { afterEach, describe, expect, test } from "vitest";
import { silentLogger, systemClock, VirtualClock } from "../../core/index.ts";
import { startPeer, type TestPeer, until } from "../test-support.ts";
import { KeepConnected } from "./keep-connected.ts";

const stack: TestPeer[] = [];

afterEach(async () => {
  for (const peer of stack.splice(0)) await peer[Symbol.asyncDispose]();
});

describe("addresses that are kept connected", () => {
  test("are dialled at the start, and again when the peer comes back", async () => {
    const b = await startPeer();
    stack.push(b);
    const port = b.address.split("/")[4];
    const clock = new VirtualClock();
    const a = await startPeer({ connect: [b.address] }, { clock });
    stack.push(a);
    await until(() => a.peer.connections().length === 1);
    await b.peer.stop();
    await until(() => a.peer.connections().length === 0);
    const again = await startPeer({ listen: [`/ip4/127.0.0.1/tcp/${port}`] });
    stack.push(again);
    // Another identity on the same port must not pass for the peer that was named.
    const refused = a.peer.connectToPeer(b.address);
    await expect(refused).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    await again.peer.stop();
  });

  test("come back by themselves after the connection ended", async () => {
    const clock = new VirtualClock();
    const b = await startPeer();
    const keeping = await startPeer({ connect: [b.address] }, { clock });
    stack.push(b, keeping);
    await until(() => keeping.peer.connections().length === 1 && b.peer.connections().length === 1);
    const back = keeping.events.next("peer_connected");
    await b.peer.disconnect(keeping.peer.id);
    await until(() => keeping.peer.connections().length === 0);
    while (keeping.peer.connections().length === 0) {
      clock.advance(1000);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(await back).toMatchObject({ peerId: b.peer.id, direction: "outbound" });
  });

  test("are retried with growing waits, and given up on stop", async () => {
    const clock = new VirtualClock();
    const dials: number[] = [];
    const keeper = new KeepConnected({
      dial: async () => {
        dials.push(clock.monotonicMs());
        throw new Error("refused");
      },
      disconnected: async () => undefined,
      clock,
      log: silentLogger,
      backoff: { initialMs: 100, maxMs: 400, jitter: 0 },
    });
    keeper.add("/ip4/192.0.2.1/tcp/1");
    keeper.add("/ip4/192.0.2.1/tcp/1");
    while (dials.length < 5) {
      await new Promise(resolve => setImmediate(resolve));
      clock.advance(100);
    }
    const start = dials[0] ?? 0;
    expect(dials.map(at => at - start)).toEqual([0, 100, 300, 700, 1100]);
    await keeper.stop();
    expect(keeper.size).toBe(0);
    keeper.add("/ip4/192.0.2.1/tcp/1");
    expect(keeper.size).toBe(0);
  });

  test("of bootstrap are dialled once discovery starts, not before", async () => {
    const b = await startPeer();
    const a = await startPeer({ bootstrapPeers: [b.address] }, { clock: systemClock });
    stack.push(a, b);
    expect(a.peer.connections()).toEqual([]);
    const connected = a.events.next("peer_connected");
    await a.peer.startDiscovery();
    await a.peer.startDiscovery();
    expect((await connected).peerId).toBe(b.peer.id);
  });
});
