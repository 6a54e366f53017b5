import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { startPeer, type TestPeer, until } from "../test-support.ts";
import type { PeerInit } from "../types.ts";

let stack = new AsyncDisposableStack();

afterEach(async () => {
  const used = stack;
  stack = new AsyncDisposableStack();
  await used.disposeAsync();
});

async function peer(init: PeerInit = {}): Promise<TestPeer> {
  return stack.use(await startPeer(init));
}

/** A relay, and a peer that listens nowhere but has a place there. */
async function relayed(relayService = { maxReservations: 4, maxBytes: 0, maxDurationMs: 60_000 }) {
  const relay = await peer({ network: { relayService } });
  const hidden = await peer({ listen: [], network: { relays: [relay.address] } });
  await until(() => hidden.peer.reachability().state === "relayed");
  return { relay, hidden, address: `${relay.address}/p2p-circuit/p2p/${hidden.peer.id}` };
}

describe("relays", { timeout: 60_000 }, () => {
  test("bring peers together that cannot be dialled: blocks and protocols", async () => {
    const { relay, hidden, address } = await relayed();
    expect(hidden.peer.multiaddrs).toContain(address);
    expect(hidden.peer.reachability().relays).toEqual([
      { relay: relay.address, state: "reserved", reason: undefined },
    ]);
    await hidden.peer.registerProtocolHandler("/test/echo/1", stream => {
      stream.consume({ onData: chunk => stream.send(chunk), onEnd: () => void stream.close() });
    });
    const caller = await peer();
    const connection = await caller.peer.connectToPeer(address);
    expect(connection).toMatchObject({ peerId: hidden.peer.id, relayed: true });
    const stream = await caller.peer.newStream(hidden.peer.id, "/test/echo/1");
    const { promise, resolve } = Promise.withResolvers<string>();
    let heard = "";
    stream.consume({
      onData: chunk => (heard += Buffer.from(chunk).toString()),
      onEnd: () => resolve(heard),
    });
    stream.send(Buffer.from("through a relay"));
    await stream.close();
    expect(await promise).toBe("through a relay");
    await until(() => caller.peer.hasPeers);
    const bytes = randomBytes(600_000);
    expect(Buffer.compare(await caller.peer.fetchBlock(hidden.blocks.add(bytes)), bytes)).toBe(0);
  });

  test("with a limit carry what is allowed on them, and a cut at the limit is an error, not silence", async () => {
    const { hidden, address } = await relayed({
      maxReservations: 4,
      maxBytes: 300_000,
      maxDurationMs: 60_000,
    });
    const handler = { runOnLimitedConnection: true };
    await hidden.peer.registerProtocolHandler(
      "/test/flood/1",
      async stream => {
        for (;;) if (!stream.send(new Uint8Array(16_384))) await stream.drained();
      },
      handler,
    );
    const caller = await peer();
    await caller.peer.connectToPeer(address);
    const stream = await caller.peer.newStream(hidden.peer.id, "/test/flood/1");
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    let bytes = 0;
    stream.consume({ onData: chunk => (bytes += chunk.byteLength), onClose: resolve });
    expect(await promise).toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(bytes).toBeLessThanOrEqual(300_000);
    // The next connection has a limit of its own.
    await until(() => !caller.peer.connections().some(connection => connection.relayed));
    expect(await caller.peer.connectToPeer(address)).toMatchObject({ relayed: true });
  });

  test("have room for a bounded number of peers", async () => {
    const relay = await peer({
      network: { relayService: { maxReservations: 1, maxBytes: 0, maxDurationMs: 1000 } },
    });
    const first = await peer({ listen: [], network: { relays: [relay.address] } });
    await until(() => first.peer.reachability().state === "relayed");
    const second = await peer({ listen: [], network: { relays: [relay.address] } });
    await until(() => second.peer.reachability().relays[0]?.reason !== undefined);
    expect(second.peer.reachability()).toMatchObject({ state: "local", relays: [{ state: "trying" }] });
    expect(second.peer.multiaddrs).toEqual([]);
  });

  test("are reserved anew after the connection was lost", async () => {
    const { relay, hidden, address } = await relayed();
    await relay.peer.disconnect(hidden.peer.id);
    await until(() => hidden.peer.reachability().relays[0]?.state === "trying");
    await until(() => hidden.peer.reachability().state === "relayed");
    expect(hidden.peer.multiaddrs).toContain(address);
    const caller = await peer();
    expect(await caller.peer.connectToPeer(address)).toMatchObject({ relayed: true });
  });

  test("nobody is carried by a node that was not told to", async () => {
    const plain = await peer();
    const hidden = await peer({ listen: [], network: { relays: [plain.address] } });
    await until(() => hidden.peer.reachability().relays[0]?.reason !== undefined);
    expect(hidden.peer.reachability().state).toBe("local");
  });
});

test("a direct connection takes the place of a relayed one, and what goes over the relay is told to move", {
  timeout: 60_000,
}, async () => {
  const relay = await peer({
    network: { relayService: { maxReservations: 4, maxBytes: 0, maxDurationMs: 60_000 } },
  });
  const behind = await peer({ network: { relays: [relay.address] } });
  await until(() => behind.peer.reachability().relays[0]?.state === "reserved");
  await behind.peer.registerProtocolHandler("/test/open/1", stream => {
    stream.consume({ onData: () => undefined });
  });
  const caller = await peer();
  await caller.peer.connectToPeer(`${relay.address}/p2p-circuit/p2p/${behind.peer.id}`);
  const stream = await caller.peer.newStream(behind.peer.id, "/test/open/1");
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  stream.consume({ onData: () => undefined, onClose: resolve });
  // The other side dials directly, as it does after a hole punch.
  await behind.peer.connectToPeer(caller.address, { direct: true });
  expect(await promise).toMatchObject({ code: "PEER_UNREACHABLE", cause: { details: { moved: true } } });
  const again = await caller.peer.connectToPeer(behind.peer.id);
  expect(again).toMatchObject({ relayed: false });
});
