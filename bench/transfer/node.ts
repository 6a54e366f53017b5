// A node in a process of its own, told by lines of JSON on standard input what to do; answers with lines of JSON.
import { createWriteStream } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { CID } from "multiformats/cid";
import { tuneHeap } from "../../src/cli/heap.ts";
import type { ContentService } from "../../src/content/index.ts";
import { noMetrics, silentLogger, systemClock } from "../../src/core/index.ts";
import { createNode } from "../../src/node.ts";
import { createLibp2pStrategy, transferMetrics } from "../../src/transfer/index.ts";
import { addLarge, MemoryStore } from "./blocks.ts";

interface Ask {
  readonly do: "add" | "get" | "bitswap" | "seek";
  readonly cid?: string;
  readonly from?: string;
  readonly via?: "libp2p" | "websocket" | "http";
  readonly file?: string;
  readonly bytes?: number;
  readonly chunkBytes?: number;
}

// As the command does.
tuneHeap();
const [dataDir = "data", encryption = "tls", media = "no"] = process.argv.slice(2);
const node = await createNode({
  dataDir,
  port: 0,
  sample: media === "media",
  logLevel: "error",
  webrtc: { enabled: media === "media", udpPort: 0 },
  mcp: { enabled: false },
  p2p: {
    listen: ["/ip4/127.0.0.1/tcp/0"],
    encryption: encryption === "noise" ? ["noise"] : ["tls", "noise"],
    fastTls: encryption !== "noise",
  },
});
const content = node.content as ContentService;

/** Runs work and says what it took. */
async function measured<T>(work: () => Promise<T>): Promise<T & Record<string, number>> {
  const idle = process.memoryUsage.rss();
  let peak = idle;
  const sample = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 100);
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const result = await work();
  const ms = performance.now() - startedMs;
  const used = process.cpuUsage(cpu);
  clearInterval(sample);
  return {
    ...result,
    ms,
    cpuMs: (used.user + used.system) / 1000,
    aboveIdleMb: (peak - idle) / 1e6,
    loopP99Ms: delay.percentile(99) / 1e6,
  };
}

/** Connects first, as the other nodes do that are measured. */
async function dial({ from = "", via }: Ask): Promise<{ dialMs: number }> {
  const startedMs = performance.now();
  if (via === "libp2p") await node.peer?.connectToPeer(from);
  return { dialMs: performance.now() - startedMs };
}

/** Brings content here and writes it to a file as it comes. */
async function get({
  cid = "",
  from = "",
  via,
  file = "",
}: Ask): Promise<{ firstMs: number; copies: number }> {
  const startedMs = performance.now();
  let firstMs = 0;
  const { id } = await node.transfers.begin({
    cid,
    from: [from],
    pin: false,
    ...(via !== undefined && { via }),
  });
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of content.cat(cid)) {
      firstMs ||= performance.now() - startedMs;
      yield chunk;
    }
  };
  const [result] = await Promise.all([
    node.transfers.finished(id),
    pipeline(bytes, createWriteStream(file, { highWaterMark: 1024 * 1024 })),
  ]);
  if (!result.ok) throw new Error(result.transfer.message);
  return { firstMs, copies: result.transfer.blocks };
}

/** By bitswap alone: what Helia's does, one block after another as the file is read. */
async function bitswap({ cid = "", from = "", file = "" }: Ask): Promise<{ firstMs: number }> {
  await node.peer?.connectToPeer(from);
  while (node.peer?.hasPeers !== true) await new Promise(resolve => setTimeout(resolve, 10));
  // Not there yet for the one side is not there for the other: the first block is asked for until it comes.
  while ((await content.block(cid).catch(() => undefined)) === undefined);
  const startedMs = performance.now();
  let firstMs = 0;
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of content.cat(cid)) {
      firstMs ||= performance.now() - startedMs;
      yield chunk;
    }
  };
  await pipeline(bytes, createWriteStream(file));
  return { firstMs };
}

/** 64 KiB at random places of a file elsewhere, none of which is here, on an open connection. */
async function seek({ cid = "", from = "", bytes = 0 }: Ask): Promise<{ p50Ms: number; p95Ms: number }> {
  if (node.peer === undefined) throw new Error("no peer");
  const shared = { metrics: transferMetrics(noMetrics), clock: systemClock, log: silentLogger };
  const blocks = new MemoryStore();
  await using strategy = createLibp2pStrategy()({ ...shared, blocks, peer: node.peer });
  const peerId = /\/p2p\/([^/]+)$/.exec(from)?.[1] ?? "";
  const root = CID.parse(cid);
  const times: number[] = [];
  for (let i = 0; i < 110; i++) {
    const start = Math.floor(Math.random() * (bytes - 65_536));
    const startedMs = performance.now();
    await strategy.fetch({ peerId, addresses: [from] }, { root, start, end: start + 65_536 });
    // The first ones open the connection and bring the nodes on the way.
    if (i >= 10) times.push(performance.now() - startedMs);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return { p50Ms: sorted[49] ?? 0, p95Ms: sorted[94] ?? 0 };
}

async function run(ask: Ask): Promise<unknown> {
  switch (ask.do) {
    case "add":
      return { cid: (await addLarge(content.blocks, ask.bytes ?? 0, ask.chunkBytes ?? 0)).toString() };
    case "get":
      return { ...(await dial(ask)), ...(await measured(() => get(ask))) };
    case "bitswap":
      return measured(() => bitswap(ask));
    case "seek":
      return seek(ask);
    default:
      throw new Error(`unknown order ${String(ask.do)}`);
  }
}

const told = {
  url: node.url,
  address: node.peer?.multiaddrs[0],
  sampleCid: node.sampleCid,
  pid: process.pid,
};
console.log(JSON.stringify(told));
for await (const line of createInterface({ input: process.stdin })) {
  try {
    // The runner's own lines.
    console.log(JSON.stringify(await run(JSON.parse(line) as Ask)));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await node.stop();
process.exit(0);
