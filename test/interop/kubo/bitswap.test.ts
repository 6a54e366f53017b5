import { randomBytes } from "node:crypto";
import * as dagPb from "@ipld/dag-pb";
import { CID } from "multiformats/cid";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { startPeer, type TestPeer, until } from "../../../src/p2p/test-support.ts";
import { type Kubo, startKubo } from "./kubo.ts";

/** Code of dag-pb, the codec of UnixFS nodes. */
const DAG_PB = 0x70;

let started: Awaited<ReturnType<typeof startKubo>>;
let ours: TestPeer;

beforeAll(async () => {
  started = await startKubo();
});

afterAll(async () => {
  if ("ipfs" in started) await started[Symbol.asyncDispose]();
});

/** The daemon; where there is none the test is skipped, which the run's report tells. */
function needKubo(context: TestContext): Kubo {
  if ("missing" in started) return context.skip(started.missing);
  return started;
}

/** Fetches a DAG through our peer; gives the leaves' bytes in order. */
async function fetchFile(cid: string, root = cid): Promise<Uint8Array[]> {
  const bytes = await ours.peer.fetchBlock(cid, { root });
  if (CID.parse(cid).code !== DAG_PB) return [bytes];
  const leaves: Uint8Array[] = [];
  for (const link of dagPb.decode(bytes).Links) leaves.push(...(await fetchFile(link.Hash.toString(), root)));
  return leaves;
}

async function fetchAddedFile(
  kubo: Kubo,
  address: string | undefined,
): Promise<{ readonly file: Buffer; readonly fetched: Buffer }> {
  const file = randomBytes(5 * 1024 * 1024);
  const cid = (await kubo.ipfs(["add", "-Q", "--cid-version=1"], file)).toString().trim();
  await ours.peer.connectToPeer(address ?? "");
  const fetched = Buffer.concat(await fetchFile(cid));
  await ours.peer.disconnect(kubo.peerId);
  await until(() => !ours.peer.hasPeers);
  return { file, fetched };
}

describe.each([{ fastTls: false }, { fastTls: true }])("bitswap with Kubo (fast TLS: $fastTls)", init => {
  beforeAll(async () => {
    ours = await startPeer(init);
  });

  afterAll(() => ours[Symbol.asyncDispose]());

  test("a file added there is fetched over TCP", async context => {
    const kubo = needKubo(context);
    const { file, fetched } = await fetchAddedFile(
      kubo,
      kubo.addresses.find(address => !address.includes("/ws")),
    );
    expect(fetched.equals(file)).toBe(true);
  });

  test("a file added there is fetched over WebSocket", async context => {
    const kubo = needKubo(context);
    const { file, fetched } = await fetchAddedFile(
      kubo,
      kubo.addresses.find(address => address.includes("/ws")),
    );
    expect(fetched.equals(file)).toBe(true);
  });

  test("our blocks are fetched by it, after it has dialled us", async context => {
    const kubo = needKubo(context);
    const sizes = [1, 1000, 256 * 1024, 1024 * 1024];
    const cids = sizes.map(size => ours.blocks.add(randomBytes(size)));
    await kubo.ipfs(["swarm", "connect", ours.address]);
    for (const cid of cids) {
      const got = await kubo.ipfs(["block", "get", cid]);
      expect(got.equals(ours.blocks.blocks.get(cid) ?? new Uint8Array())).toBe(true);
    }
    await ours.peer.disconnect(kubo.peerId);
    await until(() => !ours.peer.hasPeers);
  });

  test("a block that it lacks ends at once in CONTENT_NOT_FOUND", async context => {
    const kubo = needKubo(context);
    await ours.peer.connectToPeer(kubo.addresses[0] ?? "");
    const unknown = "bafkreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi";
    await expect(ours.peer.fetchBlock(unknown)).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
      cause: { name: "AggregateError" },
    });
  });

  test("it answers a ping, and knows us by our agent name", async context => {
    const kubo = needKubo(context);
    await ours.peer.connectToPeer(kubo.addresses[0] ?? "");
    // Whole milliseconds: 0 is what a fast loopback takes.
    const roundTripMs = await ours.peer.ping(kubo.peerId);
    expect(roundTripMs).toBeGreaterThanOrEqual(0);
    expect(roundTripMs).toBeLessThan(10_000);
    const peers = (await kubo.ipfs(["swarm", "peers", "-v"])).toString();
    expect(peers).toContain(ours.peer.id);
    expect((await kubo.ipfs(["id", ours.peer.id])).toString()).toContain('"AgentVersion": "cidcast"');
  });
});
