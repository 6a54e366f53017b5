import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transferResult } from "@cidcast/protocols/node-api";
import { CID } from "multiformats/cid";
import { describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/testing/run.ts";
import { noMetrics, silentLogger } from "../../../src/core/index.ts";
import { MemoryBlocks } from "../../../src/p2p/test-support.ts";
import { createHttpStrategy, transferMetrics } from "../../../src/transfer/index.ts";
import { serveNode, type ServedNode } from "../node/serve-node.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
/** A CID of which nobody has the block. */
const ELSEWHERE = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const TOKEN = "a-token-for-this-test-alone";
const FILE_BYTES = 6 * 1024 * 1024;
const LISTEN = { p2p: { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] } };

// Whole nodes, one of them as a process.
vi.setConfig({ testTimeout: 120_000 });

async function addNoise({ node }: ServedNode, bytes = FILE_BYTES): Promise<{ cid: string; content: Buffer }> {
  const content = randomBytes(bytes);
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
  };
  return { cid: (await node.content.add(pieces(), { name: "noise.bin" })).cid, content };
}

async function bytesOf({ node }: ServedNode, cid: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of node.content.cat(cid)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function metric({ url }: ServedNode, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter(line => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

describe("content moves between two nodes", () => {
  test.each(["libp2p", "websocket"] as const)("over %s alone, each block once, pinned", async rung => {
    await using from = await serveNode(LISTEN);
    await using to = await serveNode(LISTEN);
    const { cid, content } = await addNoise(from);
    const [address = ""] = from.node.peer?.multiaddrs ?? [];
    const source = { libp2p: address, websocket: from.url }[rung];
    const heard: string[] = [];
    to.node.events.onAny(({ type }) => void heard.push(type));
    const result = await to.node.transfers.transferContent(cid, source);
    expect(result.ok).toBe(true);
    expect(result.transfer.attempts).toEqual([]);
    expect(result.transfer.rung).toBe(rung);
    expect((await bytesOf(to, cid)).equals(content)).toBe(true);
    expect((await to.node.content.pins()).map(pin => pin.cid)).toEqual([cid]);
    expect(await metric(to, "cidcast_transfer_received_blocks_total")).toBe(result.transfer.blocks);
    expect(await metric(to, "cidcast_transfer_redundant_blocks_total")).toBe(0);
    expect(result.transfer.blocks).toBe((await from.node.content.stat(cid)).localBlocks);
    expect(heard).toEqual(
      expect.arrayContaining(["transfer_started", "transfer_progress", "transfer_completed"]),
    );
  });

  test("over the gateway alone, also a part of a file", async () => {
    await using from = await serveNode();
    const { cid } = await addNoise(from, 3_000_000);
    const blocks = new MemoryBlocks();
    const strategy = createHttpStrategy()({
      blocks,
      metrics: transferMetrics(noMetrics),
      log: silentLogger,
    });
    const root = CID.parse(cid);
    await strategy.fetch({ url: from.url }, { root, start: 1_000_000, end: 1_000_001 });
    expect(blocks.blocks.size).toBe(2);
    const rest = await strategy.fetch({ url: from.url }, { root });
    expect(rest).toMatchObject({ missing: [] });
    expect(blocks.blocks.size).toBe((await from.node.content.stat(cid)).localBlocks);
    expect(rest.blocks + 2).toBe(blocks.blocks.size);
  });

  test("a node that asks for its token gives nothing without it, and all with it", async () => {
    await using from = await serveNode({ token: TOKEN });
    await using to = await serveNode();
    const { cid } = await addNoise(from, 300_000);
    const refused = await to.node.transfers.transferContent(cid, from.url);
    expect(refused.ok).toBe(false);
    expect(new Set(refused.transfer.attempts.map(({ code }) => code))).toEqual(new Set(["UNAUTHENTICATED"]));
    const result = await to.node.transfers.transferContent(cid, from.url, { token: TOKEN });
    expect(result.ok).toBe(true);
    expect(JSON.stringify(await to.node.transfers.list())).not.toContain(TOKEN);
  });

  test("by the API: begin, watch, list; misuse is told by its code", async () => {
    await using from = await serveNode();
    await using to = await serveNode();
    const { cid } = await addNoise(from, 300_000);
    const post = (body: unknown): Promise<Response> =>
      fetch(`${to.url}/api/v0/transfers`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const begun = transferResult.parse(await (await post({ cid, from: [from.url] })).json());
    await to.node.transfers.finished(begun.id);
    const one = await (await fetch(`${to.url}/api/v0/transfers/${begun.id}`)).json();
    expect(one).toMatchObject({ id: begun.id, state: "completed", cid });
    expect(await (await fetch(`${to.url}/api/v0/transfers?state=completed`)).json()).toMatchObject({
      total: 1,
    });
    expect((await fetch(`${to.url}/api/v0/transfers/${begun.id}`, { method: "DELETE" })).status).toBe(409);
    expect((await fetch(`${to.url}/api/v0/transfers/none`)).status).toBe(404);
    expect((await post({ cid, from: ["nonsense"] })).status).toBe(400);
    expect((await post({ cid: "x", from: [from.url] })).status).toBe(400);
  });

  test("by the command line, into a data directory that no node serves", async () => {
    await using from = await serveNode();
    const { cid } = await addNoise(from, 300_000);
    const dataDir = await mkdtemp(join(tmpdir(), "cidcast-transfer-"));
    try {
      const at = { cwd: dataDir, dataDir };
      const ended = await run(["transfer", cid, from.url, "--json"], at);
      expect([ended.code, ended.stderr]).toEqual([0, ""]);
      expect(JSON.parse(ended.stdout)).toMatchObject({ state: "completed", cid });
      expect((await run(["stat", cid], at)).code).toBe(0);
      const { cid: other, content } = await addNoise(from, 400_000);
      const saved = join(dataDir, "saved.bin");
      expect((await run(["get", other, "--from", from.url, "-o", saved], at)).code).toBe(0);
      expect((await readFile(saved)).equals(content)).toBe(true);
      expect((await run(["transfer", "ls"], at)).stdout).toContain(cid);
      const failed = await run(["transfer", ELSEWHERE, "http://127.0.0.1:9"], at);
      expect(failed.code).not.toBe(0);
    } finally {
      await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
    }
  });
});

/** A node in a process of its own. */
interface NodeProcess {
  readonly url: string;
  kill(): Promise<void>;
}

async function startProcess(dataDir: string, port = "0"): Promise<NodeProcess> {
  const flags = ["--p2p-enabled", "no", "--webrtc-enabled", "no", "--no-sample", "--log-level", "error"];
  const child = spawn(process.execPath, [MAIN, "start", "--json", "--port", port, ...flags], {
    env: { PATH: process.env["PATH"], CIDCAST_DATA_DIR: dataDir },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return {
    url: (JSON.parse(line.toString()) as { url: string }).url,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

describe("a process that is killed", () => {
  test("goes on where it was, and fetches nothing twice that it had", async () => {
    await using from = await serveNode();
    const { cid, content } = await addNoise(from, 24 * 1024 * 1024);
    const all = (await from.node.content.stat(cid)).localBlocks;
    const dataDir = await mkdtemp(join(tmpdir(), "cidcast-kill-"));
    try {
      const first = await startProcess(dataDir);
      const begun = await fetch(`${first.url}/api/v0/transfers`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ cid, from: [from.url] }),
      });
      const { id } = transferResult.parse(await begun.json());
      const sentBefore = async (): Promise<number> => metric(from, "cidcast_transfer_sent_blocks_total");
      while ((await sentBefore()) < all / 4) await new Promise(resolve => setImmediate(resolve));
      await first.kill();
      const second = await startProcess(dataDir);
      try {
        const look = async () =>
          transferResult.parse(await (await fetch(`${second.url}/api/v0/transfers/${id}`)).json());
        let transfer = await look();
        while (transfer.endedAtMs === undefined) transfer = await look();
        expect(transfer.state).toBe("completed");
        const text = await (await fetch(`${second.url}/metrics`)).text();
        const received = Number(
          /^cidcast_transfer_received_blocks_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0,
        );
        const stat = (await (await fetch(`${second.url}/api/v0/stat/${cid}`)).json()) as {
          localBlocks: number;
          complete: boolean;
        };
        expect(stat).toMatchObject({ localBlocks: all, complete: true });
        // What the first process had verified was not fetched by the second one.
        expect(received).toBeLessThan(all);
        const answer = await fetch(`${second.url}/ipfs/${cid}`);
        expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
      } finally {
        await second.kill();
      }
    } finally {
      await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
    }
  });

  test("as the sender: the receiver goes on when it is back, and fetches nothing twice", async () => {
    await using to = await serveNode();
    const dataDir = await mkdtemp(join(tmpdir(), "cidcast-kill-"));
    try {
      const content = randomBytes(24 * 1024 * 1024);
      const first = await startProcess(dataDir);
      const added = await fetch(`${first.url}/api/v0/add`, {
        method: "POST",
        body: content,
        headers: { "content-type": "application/octet-stream" },
      });
      const { cid } = (await added.json()) as { cid: string };
      const { transfers } = to.node;
      const some = Promise.withResolvers<void>();
      to.node.events.on("transfer_progress", ({ data }) => {
        if (data.blocks > 3) some.resolve();
      });
      const { id } = await transfers.begin({ cid, from: [first.url] });
      await Promise.race([some.promise, transfers.finished(id)]);
      await first.kill();
      const ended = await transfers.finished(id);
      const back = await startProcess(dataDir, new URL(first.url).port);
      try {
        expect([undefined, "PEER_UNREACHABLE"]).toContain(ended.ok ? undefined : ended.transfer.code);
        if (!ended.ok) await transfers.resume(id);
        expect((await transfers.finished(id)).ok).toBe(true);
        expect((await bytesOf(to, cid)).equals(content)).toBe(true);
        const { localBlocks } = await to.node.content.stat(cid);
        expect(await metric(to, "cidcast_transfer_received_blocks_total")).toBe(localBlocks);
      } finally {
        await back.kill();
      }
    } finally {
      await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
    }
  });
});

test("the token of a source survives a restart, sealed", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "cidcast-token-"));
  try {
    await using from = await serveNode({ token: TOKEN });
    const { cid } = await addNoise(from, 300_000);
    let id: string;
    {
      await using to = await serveNode({ dataDir, transfer: { maxRunning: 1 } });
      ({ id } = await to.node.transfers.begin({ cid, from: [from.url], token: TOKEN }));
      await to.node.transfers.pause(id);
    }
    for (const file of (await readdir(dataDir)).filter(name => name.startsWith("node.db"))) {
      expect((await readFile(join(dataDir, file))).includes(TOKEN)).toBe(false);
    }
    await using again = await serveNode({ dataDir });
    // Resumed by the start itself, or by hand.
    const refused = await again.node.transfers.resume(id).then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    expect([undefined, "CONFLICT"]).toContain(refused);
    expect((await again.node.transfers.finished(id)).ok).toBe(true);
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
  }
});
