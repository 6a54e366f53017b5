import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { rawCid, startPeer, type TestPeer, until } from "../test-support.ts";
import type { PeerComponents, PeerInit } from "../types.ts";

let stack = new AsyncDisposableStack();

afterEach(async () => {
  const used = stack;
  stack = new AsyncDisposableStack();
  await used.disposeAsync();
});

async function peer(init: PeerInit = {}, components: Partial<PeerComponents> = {}): Promise<TestPeer> {
  return stack.use(await startPeer(init, components));
}

async function providersOf(asking: TestPeer, cid: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { peerId } of asking.peer.routing.findProviders(cid)) found.push(peerId);
  return found;
}

describe("a DHT of the local network", { timeout: 60_000 }, () => {
  test("tells who has content, and a block comes from a peer that was never named", async () => {
    const network = { dht: "lan" } as const;
    const server = await peer({ network });
    const bytes = randomBytes(50_000);
    const provider = await peer({ network, connect: [server.address] });
    const seeker = await peer({ network, role: "leecher", connect: [server.address] });
    await until(() => provider.peer.connections().length > 0 && seeker.peer.connections().length > 0);
    const cid = provider.blocks.add(bytes);
    // Until both have taken the server into their tables, nobody takes the record, which is told.
    while (provider.peer.routing.provideStatus.provided === 0) {
      provider.peer.routing.provide(cid);
      await until(() => provider.peer.routing.provideStatus.waiting <= 1);
    }
    expect(await providersOf(seeker, cid)).toEqual([provider.peer.id]);
    expect(await seeker.peer.routing.findPeer(provider.peer.id)).not.toEqual([]);
    expect(Buffer.compare(await seeker.peer.fetchBlock(cid), bytes)).toBe(0);
    expect(seeker.peer.connections().map(({ peerId }) => peerId)).toContain(provider.peer.id);
    expect(seeker.peer.reputation.hasServed(provider.peer.id, cid)).toBe(true);
  });

  test("is told of all that is here at the start", async () => {
    const network = { dht: "lan" } as const;
    const server = await peer({ network });
    const cids = [rawCid(Buffer.from("one")), rawCid(Buffer.from("two"))];
    const provider = await peer(
      { network, connect: [server.address] },
      {
        async *roots() {
          yield* cids;
        },
      },
    );
    await until(() => provider.peer.routing.provideStatus.provided === 2);
    expect(provider.peer.routing.provideStatus).toMatchObject({ waiting: 0, backlog: undefined });
  });
});

describe("announcements", { timeout: 60_000 }, () => {
  test("of content reach others, and the block is fetched from who told of it", async () => {
    const network = { pubsub: true } as const;
    const [teller, hearer] = [await peer({ network }), await peer({ network })];
    await hearer.peer.connectToPeer(teller.address);
    const bytes = randomBytes(1000);
    const cid = teller.blocks.add(bytes);
    // Gossip begins when both know of each other's subscriptions.
    let found: string[] = [];
    while (found.length === 0) {
      teller.peer.routing.provide(cid);
      await until(() => teller.peer.routing.provideStatus.waiting === 0);
      found = await providersOf(hearer, cid);
    }
    expect(found).toEqual([teller.peer.id]);
    expect(Buffer.compare(await hearer.peer.fetchBlock(cid), bytes)).toBe(0);
  });
});

describe("delegated routers", { timeout: 60_000 }, () => {
  test("are asked by option, over both forms of answers; what does not fit is passed over", async () => {
    const provider = await peer();
    const bytes = randomBytes(2000);
    const cid = provider.blocks.add(bytes);
    const asked: string[] = [];
    const record = { Schema: "peer", ID: provider.peer.id, Addrs: [provider.address], Protocols: [] };
    for (const type of ["application/x-ndjson", "application/json"]) {
      const server = createServer((request, response) => {
        asked.push(request.url ?? "");
        response.writeHead(200, { "content-type": type });
        const lines = [{ Schema: "unknown" }, { Schema: "peer" }, record];
        response.end(
          type.includes("ndjson")
            ? lines.map(line => `${JSON.stringify(line)}\n`).join("")
            : JSON.stringify({ Providers: lines }),
        );
      });
      await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
      stack.defer(() => new Promise(resolve => server.close(() => resolve())));
      const address = server.address();
      const port = typeof address === "object" ? address?.port : undefined;
      const seeker = await peer({ network: { routers: [`http://127.0.0.1:${port}/`] } });
      expect(await providersOf(seeker, cid)).toEqual([provider.peer.id]);
      // A router is a stranger: it does not lead this node into its own network.
      await expect(seeker.peer.fetchBlock(cid)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
      await seeker.peer.connectToPeer(provider.address);
      expect(Buffer.compare(await seeker.peer.fetchBlock(cid), bytes)).toBe(0);
    }
    expect(asked[0]).toBe(`/routing/v1/providers/${cid}`);
  });

  test("that fail are no error of a search", async () => {
    const seeker = await peer({ network: { routers: ["http://127.0.0.1:1"] } });
    expect(await providersOf(seeker, rawCid(Buffer.from("x")))).toEqual([]);
  });
});

test("without any of it nobody is looked for, and nothing is told", async () => {
  const alone = await peer();
  expect(alone.peer.routing.canFind).toBe(false);
  expect(alone.peer.hasPeers).toBe(false);
  alone.peer.routing.provide(rawCid(Buffer.from("x")));
  expect(alone.peer.routing.provideStatus).toMatchObject({ waiting: 0, provided: 0 });
  await expect(alone.peer.fetchBlock(rawCid(Buffer.from("x")))).rejects.toMatchObject({
    code: "CONTENT_NOT_FOUND",
  });
});
