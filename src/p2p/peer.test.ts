import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { connect, MemoryBlocks, rawCid, startPeer, type TestPeer, until } from "./test-support.ts";
import { createPeer } from "./peer.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../core/index.ts";

let stack = new AsyncDisposableStack();

async function peer(...args: Parameters<typeof startPeer>): Promise<TestPeer> {
  return stack.use(await startPeer(...args));
}

afterEach(async () => {
  const used = stack;
  stack = new AsyncDisposableStack();
  await used.disposeAsync();
});

function same(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}

describe("blocks", () => {
  test("go both ways between two connected peers", async () => {
    const [a, b] = [await peer(), await peer()];
    await connect(a, b);
    const ofA = a.blocks.add(randomBytes(256 * 1024));
    const ofB = b.blocks.add(randomBytes(1024 * 1024));
    expect(same(await a.peer.fetchBlock(ofB), b.blocks.blocks.get(ofB))).toBe(true);
    expect(same(await b.peer.fetchBlock(ofA), a.blocks.blocks.get(ofA))).toBe(true);
  });

  test("come over WebSocket as well", async () => {
    const [a, b] = [await peer(), await peer({ listen: ["/ip4/127.0.0.1/tcp/0/ws"] })];
    const connection = await a.peer.connectToPeer(b.peer.multiaddrs[0] ?? "");
    expect(connection.address).toContain("/ws");
    await until(() => a.peer.hasPeers);
    const cid = b.blocks.add(randomBytes(1000));
    expect(same(await a.peer.fetchBlock(cid), b.blocks.blocks.get(cid))).toBe(true);
  });

  test("that nobody has end at once in CONTENT_NOT_FOUND", async () => {
    const [a, b] = [await peer({ limits: { fetchTimeoutMs: 600_000 } }), await peer()];
    await connect(a, b);
    await expect(a.peer.fetchBlock(rawCid(randomBytes(8)))).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
  });

  test("are not waited for where nobody is connected", async () => {
    const a = await peer({ limits: { fetchTimeoutMs: 600_000 } });
    expect(a.peer.hasPeers).toBe(false);
    await expect(a.peer.fetchBlock(rawCid(randomBytes(8)))).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
  });

  test("of a peer that never answers end in CONTENT_NOT_FOUND after the budget", async () => {
    const silent = new MemoryBlocks();
    silent.has = () => new Promise(() => undefined);
    const [a, b] = [await peer({ limits: { fetchTimeoutMs: 50 } }), await peer({}, { blocks: silent })];
    await connect(a, b);
    await expect(a.peer.fetchBlock(rawCid(randomBytes(8)))).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
      cause: { code: "TIMEOUT" },
    });
  });

  test("with a bad name are refused", async () => {
    const a = await peer();
    await expect(a.peer.fetchBlock("nonsense")).rejects.toMatchObject({ code: "INVALID_CID" });
    // The same digest under blake2b-256, which is not verified here.
    await expect(
      a.peer.fetchBlock("bafk2bzacebesiiyy5hg45rl6zj75rxlpfyuzoutagqfqzxjmyqizzfn4tzpfs"),
    ).rejects.toMatchObject({ code: "UNSUPPORTED_DAG" });
  });

  test("of a root are asked of the peer that served it, and of others when it lacks one", async () => {
    const [a, b, c] = [await peer(), await peer(), await peer()];
    await connect(a, b);
    await connect(a, c);
    const root = b.blocks.add(randomBytes(100));
    const shared = randomBytes(200);
    const sibling = b.blocks.add(shared);
    c.blocks.add(shared);
    const elsewhere = c.blocks.add(randomBytes(300));
    await until(() => a.peer.connections().length === 2);
    await a.peer.fetchBlock(root, { root });
    await a.peer.fetchBlock(sibling, { root });
    expect(c.blocks.reads).not.toContain(sibling);
    expect(same(await a.peer.fetchBlock(elsewhere, { root }), c.blocks.blocks.get(elsewhere))).toBe(true);
  });

  test("that arrive after the caller gave up are kept", async () => {
    const slow = new MemoryBlocks();
    const cid = slow.add(randomBytes(500));
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const get = slow.get.bind(slow);
    slow.get = async wanted => {
      asked.resolve();
      await gate.promise;
      return get(wanted);
    };
    const [a, b] = [await peer(), await peer({}, { blocks: slow })];
    await connect(a, b);
    const caller = new AbortController();
    const fetching = a.peer.fetchBlock(cid, { signal: caller.signal });
    await asked.promise;
    caller.abort();
    await expect(fetching).rejects.toMatchObject({ name: "AbortError" });
    gate.resolve();
    await until(() => a.blocks.blocks.has(cid));
    expect(same(slow.blocks.get(cid) ?? new Uint8Array(), a.blocks.blocks.get(cid))).toBe(true);
  });

  test("that somebody waits for are sent when they are announced", async () => {
    const [a, b] = [await peer(), await peer()];
    await connect(a, b);
    const bytes = randomBytes(100);
    await expect(a.peer.fetchBlock(rawCid(bytes))).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    const cid = b.blocks.add(bytes);
    await b.peer.announceBlock(cid);
    expect(same(await a.peer.fetchBlock(cid), bytes)).toBe(true);
  });
});

describe("start and stop", () => {
  test("a peer that cannot listen is disabled with the reason, and every call says so", async () => {
    const taken: Server = createServer();
    await new Promise<void>(resolve => taken.listen(0, "127.0.0.1", resolve));
    stack.defer(() => new Promise(resolve => taken.close(() => resolve())));
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const broken = createPeer({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })({
      blocks: new MemoryBlocks(),
      events: new EventBus(silentLogger),
      log: silentLogger,
      metrics: noMetrics,
      clock: systemClock,
    });
    await expect(broken.start()).rejects.toMatchObject({ code: "FEATURE_DISABLED" });
    expect(broken.status).toBe("disabled");
    expect(broken.disabledReason).toBeTruthy();
    expect(broken.hasPeers).toBe(false);
    expect(() => broken.id).toThrow(expect.objectContaining({ code: "FEATURE_DISABLED" }));
    await expect(broken.connectToPeer("/ip4/127.0.0.1/tcp/1")).rejects.toMatchObject({
      code: "FEATURE_DISABLED",
    });
    await broken.stop();
  });

  test("a listen address that is none disables the peer", async () => {
    await expect(startPeer({ listen: ["127.0.0.1:4001"] })).rejects.toMatchObject({
      code: "FEATURE_DISABLED",
      cause: { code: "INVALID_REQUEST" },
    });
  });

  test("stop closes everything, also with connections, redials and fetches under way", async () => {
    const before = process.getActiveResourcesInfo().filter(kind => kind.startsWith("TCP")).length;
    const silent = new MemoryBlocks();
    silent.has = () => new Promise(() => undefined);
    const b = await startPeer({}, { blocks: silent });
    const a = await startPeer({
      connect: ["/ip4/127.0.0.1/tcp/9/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"],
    });
    await connect(a, b);
    const fetching = a.peer.fetchBlock(rawCid(randomBytes(8))).catch((error: unknown) => error);
    await a.peer.stop();
    await a.peer.stop();
    await b.peer.stop();
    expect(await fetching).toMatchObject({ code: "SHUTTING_DOWN" });
    expect(a.peer.status).toBe("stopped");
    expect(a.peer.connections()).toEqual([]);
    await until(
      () => process.getActiveResourcesInfo().filter(kind => kind.startsWith("TCP")).length <= before,
    );
  });

  test("a stopped peer starts again with its handlers", async () => {
    const [a, b] = [await peer(), await peer()];
    await b.peer.registerProtocolHandler("/test/echo/1", stream => stream.close());
    await b.peer.stop();
    await b.peer.start();
    const connection = await a.peer.connectToPeer(b.peer.multiaddrs[0] ?? "");
    expect((await a.peer.newStream(connection.peerId, "/test/echo/1")).protocol).toBe("/test/echo/1");
  });

  test("listens on loopback alone unless told otherwise, and nowhere when told so", async () => {
    const a = await peer();
    expect(a.peer.multiaddrs).toHaveLength(2);
    for (const address of a.peer.multiaddrs) expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+/);
    expect((await peer({ listen: [] })).peer.multiaddrs).toEqual([]);
  });
});
