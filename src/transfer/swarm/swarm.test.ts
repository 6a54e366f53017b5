import { CID } from "multiformats/cid";
import { describe, expect, test } from "vitest";
import { addFile, patternBytes } from "../../../test/suites/dag.ts";
import { noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { MemoryBlocks } from "../../p2p/test-support.ts";
import { openDatabase } from "../../store/index.ts";
import { transferMetrics } from "../metrics.ts";
import { createHttpStrategy } from "../strategies/http.ts";
import { createWebSocketStrategy } from "../strategies/web-socket.ts";
import { type Faults, startContentSocket, startGateway, type TestDoor } from "../testing/doors.ts";
import { Health } from "../transfers/health.ts";
import { transferMigrations, type TransferTables } from "../transfers/migrations.ts";
import { sourcesOf } from "../transfers/target.ts";
import type { TransferAttempt } from "../transfers/types.ts";
import { WatchedBlocks } from "../transfers/watched-blocks.ts";
import { Swarm } from "./swarm.ts";

/** Blocks that can be held back, and tell when one is stored twice. */
class GatedBlocks extends MemoryBlocks {
  readonly twice: string[] = [];
  gate: ((cid: CID) => Promise<void> | void) | undefined;

  override async get(cid: CID): Promise<Uint8Array | undefined> {
    await this.gate?.(cid);
    return super.get(cid);
  }

  override async put(cid: CID, bytes: Uint8Array): Promise<void> {
    if (this.blocks.has(cid.toString())) this.twice.push(cid.toString());
    await super.put(cid, bytes);
  }
}

interface Rig extends AsyncDisposable {
  readonly here: GatedBlocks;
  /** A door of its own kind on its own copy of the blocks. */
  door(kind: "ws" | "http", blocks: MemoryBlocks, faults?: Faults): Promise<TestDoor>;
  swarm(root: CID, doors: readonly TestDoor[], pace?: { slowStartMs?: number }): Watched;
}

interface Watched {
  readonly swarm: Swarm;
  readonly bySource: Map<string, number>;
  readonly attempts: TransferAttempt[];
  readonly order: string[];
  onBlock: () => void;
}

async function rig(): Promise<Rig> {
  const here = new GatedBlocks();
  const stack = new AsyncDisposableStack();
  const database = await openDatabase({ file: ":memory:", migrations: transferMigrations });
  stack.defer(() => database.close());
  const shared = { clock: systemClock, log: silentLogger, metrics: transferMetrics(noMetrics) };
  const blocks = new WatchedBlocks(here);
  const health = new Health({ db: database.tables<TransferTables>(), ...shared });
  const websocket = stack.use(createWebSocketStrategy()({ ...shared, blocks }));
  const http = stack.use(createHttpStrategy()({ ...shared, blocks }));
  return {
    here,
    async door(kind, served, faults) {
      return stack.use(await (kind === "ws" ? startContentSocket : startGateway)(served, faults));
    },
    swarm(root, doors, { slowStartMs = 60_000 } = {}) {
      const watched: Omit<Watched, "swarm"> = {
        bySource: new Map(),
        attempts: [],
        order: [],
        onBlock: () => undefined,
      };
      const swarm = new Swarm(
        {
          want: { root },
          sources: doors.map(({ url }) => sourcesOf(url, undefined).at(-1)!),
          pace: { slowStartMs, stallTimeoutMs: 60_000, retryMs: 1 },
          onSource: () => undefined,
          onAttempt: attempt => void watched.attempts.push(attempt),
          onBlock(cid, _bytes, source) {
            const name = source.rung === "libp2p" ? source.peerId : source.url;
            watched.bySource.set(name, (watched.bySource.get(name) ?? 0) + 1);
            watched.order.push(cid.toString());
            watched.onBlock();
          },
        },
        { strategies: { libp2p: undefined, websocket, http }, blocks, health, ...shared },
      );
      return Object.assign(watched, { swarm });
    },
    async [Symbol.asyncDispose]() {
      await health.flush();
      await stack.disposeAsync();
    },
  };
}

function copyOf(blocks: MemoryBlocks): GatedBlocks {
  const copy = new GatedBlocks();
  for (const [cid, bytes] of blocks.blocks) copy.blocks.set(cid, bytes);
  return copy;
}

/** The leaf that holds byte `at`, of leaves of 16 KiB. */
async function fileOf(blocks: MemoryBlocks, leaves = 512): Promise<{ root: CID; leafCids: string[] }> {
  const root = await addFile(blocks, patternBytes(leaves * 16 * 1024), { chunkBytes: 16 * 1024, fanout: 32 });
  return { root, leafCids: [...blocks.blocks.keys()].filter(cid => CID.parse(cid).code === 0x55) };
}

describe("several sources at once", () => {
  test("share the blocks, none of which is sent twice", async () => {
    await using r = await rig();
    const from = new GatedBlocks();
    const { root } = await fileOf(from);
    const doors = await Promise.all([from, copyOf(from), copyOf(from)].map(blocks => r.door("ws", blocks)));
    const { swarm, bySource } = r.swarm(root, doors);
    expect(await swarm.run()).toMatchObject({ ok: true, attempts: [] });
    expect(r.here.blocks.size).toBe(from.blocks.size);
    expect(r.here.twice).toEqual([]);
    expect([...bySource.values()].reduce((sum, count) => sum + count, 0)).toBe(from.blocks.size);
    expect(doors.reduce((sum, { sent }) => sum + sent.length, 0)).toBe(from.blocks.size);
    expect([...bySource.values()].filter(count => count > 0).length).toBeGreaterThan(1);
  });

  test("a slow one loses its share to the others", async () => {
    await using r = await rig();
    const quick = new GatedBlocks();
    const { root } = await fileOf(quick);
    const slow = copyOf(quick);
    const enough = Promise.withResolvers<void>();
    // It answers, and waits before each block until the other has brought most of them.
    slow.gate = () => enough.promise;
    const doors = [await r.door("ws", slow), await r.door("ws", quick)];
    const watched = r.swarm(root, doors);
    watched.onBlock = () => {
      if (watched.order.length > quick.blocks.size / 2) enough.resolve();
    };
    expect(await watched.swarm.run()).toMatchObject({ ok: true });
    const [fromSlow = 0, fromQuick = 0] = doors.map(({ url }) => watched.bySource.get(url) ?? 0);
    expect(fromQuick).toBeGreaterThan(fromSlow);
    expect(fromSlow + fromQuick).toBe(quick.blocks.size);
    expect(r.here.twice).toEqual([]);
  });

  test("the next rung begins while the first is slow, and takes over what it was asked for", async () => {
    await using r = await rig();
    const blocks = new GatedBlocks();
    const { root } = await fileOf(blocks, 64);
    const silent = await r.door("ws", copyOf(blocks), { stallAfterBytes: 100_000 });
    const next = await r.door("http", blocks);
    const { swarm, attempts, bySource } = r.swarm(root, [silent, next], { slowStartMs: 50 });
    expect(await swarm.run()).toMatchObject({ ok: true });
    expect(bySource.get(next.url)).toBeGreaterThan(0);
    expect(attempts.every(({ code }) => code === "TIMEOUT")).toBe(true);
    expect(r.here.twice).toEqual([]);
    expect(r.here.blocks.size).toBe(blocks.blocks.size);
  });

  test("content of nobody ends with every cause", async () => {
    await using r = await rig();
    const { root } = await fileOf(new GatedBlocks(), 2);
    const doors = [await r.door("ws", new MemoryBlocks()), await r.door("http", new MemoryBlocks())];
    const { swarm, attempts } = r.swarm(root, doors);
    expect(await swarm.run()).toMatchObject({ ok: false });
    expect(new Set(attempts.map(({ rung, code }) => `${rung} ${code}`))).toEqual(
      new Set(["websocket CONTENT_NOT_FOUND", "http CONTENT_NOT_FOUND"]),
    );
  });
});

describe("a block that a player waits for", () => {
  test.each(["ws", "http"] as const)(
    "overtakes the copy under way over %s; nothing comes twice",
    async kind => {
      await using r = await rig();
      const blocks = new GatedBlocks();
      const { root, leafCids } = await fileOf(blocks, 640);
      const door = await r.door(kind, blocks);
      const watched = r.swarm(root, [door]);
      const last = CID.parse(leafCids.at(-1) ?? "");
      const started = Promise.withResolvers<void>();
      watched.onBlock = () => {
        if (watched.order.length === 40) started.resolve();
      };
      const running = watched.swarm.run();
      await started.promise;
      await watched.swarm.demand(last);
      expect(r.here.blocks.has(last.toString())).toBe(true);
      expect(watched.order.length).toBeLessThan(blocks.blocks.size);
      expect(await running).toMatchObject({ ok: true, attempts: [] });
      expect(r.here.twice).toEqual([]);
      expect(r.here.blocks.size).toBe(blocks.blocks.size);
      expect(watched.order).toHaveLength(blocks.blocks.size);
    },
  );

  test("is asked for at another source when the first goes away", async () => {
    await using r = await rig();
    const blocks = new GatedBlocks();
    const { root, leafCids } = await fileOf(blocks, 64);
    const dying = copyOf(blocks);
    const wanted = leafCids.at(-1) ?? "";
    const doors = [await r.door("ws", dying), await r.door("ws", blocks)];
    const asked = Promise.withResolvers<void>();
    const [hold, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    dying.gate = async cid => {
      if (cid.toString() === wanted) asked.resolve();
      if (cid.code === 0x55) await hold.promise;
    };
    blocks.gate = cid => (cid.code === 0x55 ? rest.promise : undefined);
    const watched = r.swarm(root, doors);
    const running = watched.swarm.run();
    const demanded = watched.swarm.demand(CID.parse(wanted));
    // Whichever is asked, it comes: from the one that lives.
    await Promise.race([asked.promise, new Promise(resolve => setImmediate(resolve))]);
    await doors[0]?.[Symbol.asyncDispose]();
    rest.resolve();
    await demanded;
    expect(await running).toMatchObject({ ok: true });
    expect(r.here.twice).toEqual([]);
    hold.resolve();
  });

  test("is told to be missing when the transfer ends without it", async () => {
    await using r = await rig();
    const { root, leafCids } = await fileOf(new GatedBlocks(), 2);
    const { swarm } = r.swarm(root, [await r.door("ws", new MemoryBlocks())]);
    const running = swarm.run();
    await expect(swarm.demand(CID.parse(leafCids[0] ?? ""))).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
    expect(await running).toMatchObject({ ok: false });
  });
});
