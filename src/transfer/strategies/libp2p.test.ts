import { describe, expect, test } from "vitest";
import { type StrategyRig, transferStrategySuite } from "../../../test/suites/transfer-strategy.ts";
import { addFile, patternBytes } from "../../../test/suites/dag.ts";
import { type Clock, noMetrics, silentLogger, systemClock, VirtualClock } from "../../core/index.ts";
import { startPeer, type TestPeer, until } from "../../p2p/test-support.ts";
import { IDLE_STREAM_MS } from "../limits.ts";
import { transferMetrics } from "../metrics.ts";
import { serveContent } from "../protocol/content-service.ts";
import { createLibp2pStrategy, type Libp2pStrategyInit, type PeerSource } from "./libp2p.ts";

interface Rig extends StrategyRig<PeerSource> {
  readonly from: TestPeer;
  readonly to: TestPeer;
}

async function rig(init: Libp2pStrategyInit = {}, clock: Clock = systemClock): Promise<Rig> {
  const [from, to] = [await startPeer(), await startPeer()];
  const shared = { metrics: transferMetrics(noMetrics), clock, log: silentLogger };
  await serveContent({ peer: from.peer, blocks: from.blocks, ...shared });
  const strategy = createLibp2pStrategy(init)({ peer: to.peer, blocks: to.blocks, ...shared });
  await to.peer.connectToPeer(from.address);
  return {
    from,
    to,
    strategy,
    source: { peerId: from.peer.id },
    here: to.blocks,
    there: from.blocks,
    async [Symbol.asyncDispose]() {
      await strategy[Symbol.asyncDispose]();
      await to.peer.stop();
      await from.peer.stop();
    },
  };
}

transferStrategySuite("libp2p", () => rig());

describe("libp2p", () => {
  test("uses one stream for requests that follow each other and run at once", async () => {
    await using r = await rig();
    const roots = await Promise.all([1, 2, 3].map(seed => addFile(r.there, patternBytes(5000, seed))));
    const [first, ...others] = roots;
    if (first !== undefined) await r.strategy.fetch(r.source, { root: first });
    await Promise.all(others.map(root => r.strategy.fetch(r.source, { root })));
    const content = r.to.peer.connections()[0]?.streams;
    expect(content).toBe(1);
  });

  test("closes its stream once it is idle for long", async () => {
    const clock = new VirtualClock();
    await using r = await rig({}, clock);
    await r.strategy.fetch(r.source, { root: await addFile(r.there, patternBytes(5000)) });
    expect(r.to.peer.connections()[0]?.streams).toBe(1);
    clock.advance(IDLE_STREAM_MS);
    await until(() => r.to.peer.connections()[0]?.streams === 0);
    await r.strategy.fetch(r.source, { root: await addFile(r.there, patternBytes(5000, 2)) });
    expect(r.here.blocks.size).toBe(r.there.blocks.size);
  });

  test("opens a new stream after the peer came back", async () => {
    await using r = await rig();
    const [a, b] = [
      await addFile(r.there, patternBytes(5000)),
      await addFile(r.there, patternBytes(5000, 2)),
    ];
    await r.strategy.fetch(r.source, { root: a });
    await r.to.peer.disconnect(r.from.peer.id);
    await until(() => r.to.peer.connections().length === 0);
    await r.strategy.fetch({ peerId: r.from.peer.id, addresses: [r.from.address] }, { root: b });
    expect(r.here.blocks.size).toBe(r.there.blocks.size);
  });

  test("ends in PEER_UNREACHABLE when the peer goes away in the middle, with what came before kept", async () => {
    await using r = await rig();
    const root = await addFile(r.there, patternBytes(3_000_000), { chunkBytes: 64 * 1024 });
    const get = r.there.get.bind(r.there);
    let reads = 0;
    r.there.get = async cid => {
      if (++reads === 20) await r.from.peer.disconnect(r.to.peer.id);
      return get(cid);
    };
    await expect(r.strategy.fetch(r.source, { root })).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(r.here.blocks.size).toBeGreaterThan(0);
    await r.strategy.fetch({ peerId: r.from.peer.id, addresses: [r.from.address] }, { root });
    expect(r.here.blocks.size).toBe(r.there.blocks.size);
  });

  test("gives up on a peer that brings nothing for the stall time", async () => {
    await using r = await rig({ stallTimeoutMs: 30 });
    const root = await addFile(r.there, patternBytes(5000));
    r.there.get = () => new Promise(() => undefined);
    await expect(r.strategy.fetch(r.source, { root })).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  test("a store slower than the link stops the sender at the window, and loses nothing", async () => {
    const windowBytes = 3 * 1024 * 1024;
    await using r = await rig({ windowBytes });
    const root = await addFile(r.there, patternBytes(8 * 1024 * 1024), {
      chunkBytes: 256 * 1024,
      fanout: 64,
    });
    const put = r.here.put.bind(r.here);
    const gate = Promise.withResolvers<void>();
    let waiting = 0;
    r.here.put = async (cid, bytes) => {
      waiting += bytes.byteLength;
      if (bytes.byteLength > 10_000) await gate.promise;
      await put(cid, bytes);
    };
    const fetching = r.strategy.fetch(r.source, { root });
    await until(() => waiting > windowBytes - 300 * 1024);
    // A round trip later nothing more has come: the sender keeps to its credit.
    await r.to.peer.ping(r.from.peer.id);
    await r.to.peer.ping(r.from.peer.id);
    expect(waiting).toBeLessThanOrEqual(windowBytes);
    gate.resolve();
    await fetching;
    expect(r.here.blocks.size).toBe(r.there.blocks.size);
  });

  test("a store that fails ends the fetch with its error", async () => {
    await using r = await rig();
    const root = await addFile(r.there, patternBytes(5000));
    r.here.put = () => Promise.reject(new Error("disk full"));
    await expect(r.strategy.fetch(r.source, { root })).rejects.toThrow("disk full");
  });
});
