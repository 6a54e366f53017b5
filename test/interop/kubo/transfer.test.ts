import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type CidcastNode, createNode } from "../../../src/index.ts";
import { type Kubo, startKubo } from "./kubo.ts";

vi.setConfig({ testTimeout: 120_000 });

let started: Awaited<ReturnType<typeof startKubo>>;
let node: CidcastNode;
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cidcast-kubo-transfer-"));
  [started, node] = await Promise.all([
    startKubo(),
    createNode({
      dataDir,
      port: 0,
      sample: false,
      logLevel: "error",
      webrtc: { enabled: false },
      p2p: { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] },
    }),
  ]);
}, 1_200_000);

afterAll(async () => {
  await node.stop();
  if ("ipfs" in started) await started[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

const added = async (kubo: Kubo, file: Buffer, ...args: string[]): Promise<string> =>
  (await kubo.ipfs(["add", "-Q", ...args], file)).toString().trim();

async function bytesOf(cid: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of node.content.cat(cid)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test.for([
  [["--cid-version=1"]],
  [["--cid-version=0"]],
  [["--cid-version=1", "--chunker=size-1048576", "--trickle"]],
])(
  "what Kubo has (%s) comes by its gateway, after libp2p handed on: no block twice",
  async ([args = []], context) => {
    if ("missing" in started) {
      context.skip(started.missing);
      return;
    }
    const file = randomBytes(9 * 1024 * 1024 + 77);
    const cid = await added(started, file, ...args);
    const { addresses, gateway } = started;
    const result = await node.transfers.transferContent(cid, [addresses[0] ?? "", gateway]);
    expect(result.ok).toBe(true);
    expect(result.transfer.attempts.map(({ rung, code }) => `${rung} ${code}`)).toEqual([
      "libp2p PROTOCOL_UNSUPPORTED",
      "websocket PROTOCOL_UNSUPPORTED",
    ]);
    expect(result.transfer.rung).toBe("http");
    expect((await node.content.stat(cid)).localBlocks).toBe(result.transfer.blocks);
    expect((await bytesOf(cid)).equals(file)).toBe(true);
  },
);

test("what is here Kubo reads by bitswap, and takes as a CAR", async context => {
  if ("missing" in started) {
    context.skip(started.missing);
    return;
  }
  const file = randomBytes(3_000_000);
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    yield file;
  };
  const { cid } = await node.content.add(pieces());
  await started.ipfs(["swarm", "connect", node.peer?.multiaddrs[0] ?? ""]);
  expect((await started.ipfs(["cat", cid])).equals(file)).toBe(true);
  await started.ipfs(["swarm", "disconnect", node.peer?.multiaddrs[0] ?? ""]);
  const other = await node.content.add(pieces(), { name: "again" });
  const car = Buffer.from(
    await (await fetch(`${node.url ?? ""}/ipfs/${other.cid}?format=car`)).arrayBuffer(),
  );
  const imported = (await started.ipfs(["dag", "import", "--pin-roots=false", "--stats"], car)).toString();
  expect(imported).toContain("blocks");
});
