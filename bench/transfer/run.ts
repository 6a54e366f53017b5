// npm run bench -- transfer [MiB] [rounds] [ours]
// A file from one node to a cold one and into a file there: each way in turn, `rounds` times; medians over the rounds.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { CidcastClient } from "@cidcast/client";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { type Kubo, startKubo } from "../../test/interop/kubo/kubo.ts";
import { noise } from "./blocks.ts";

const MIB = 1024 * 1024;
const [sizeMib = 256, rounds = 3] = process.argv.slice(2).map(Number);
/** `ours`: without Kubo. */
const withKubo = process.argv[4] !== "ours";
const BYTES = sizeMib * MIB;
const NODE = fileURLToPath(new URL("./node.ts", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "cidcast-bench-transfer-"));
let folders = 0;

interface NodeProcess extends AsyncDisposable {
  readonly url: string;
  readonly address: string;
  readonly sampleCid: string | undefined;
  readonly pid: number;
  ask(request: Readonly<Record<string, unknown>>): Promise<Record<string, number> & { cid?: string }>;
}

async function startNode(encryption: "tls" | "noise", media = "no"): Promise<NodeProcess> {
  const dir = join(work, `node-${folders++}`);
  const child = spawn(process.execPath, [NODE, dir, encryption, media], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, never>> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the node's process has ended");
    return JSON.parse(value) as Record<string, never>;
  };
  const { url = "", address = "", sampleCid, pid = 0 } = await next();
  return {
    url,
    address,
    sampleCid,
    pid,
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const answer = await next();
      if ("error" in answer) throw new Error(String(answer["error"]));
      return answer;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Processor time of a process so far, milliseconds; Linux alone. */
function cpuMsOf(pid: number | undefined): number {
  if (pid === undefined || process.platform !== "linux") return Number.NaN;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

type Figures = Record<string, number>;
const results = new Map<string, Figures[]>();

function note(way: string, figures: Figures): void {
  const told = Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value * 10) / 10}`);
  console.log(`${way}: ${told.join(", ")}; load ${loadavg()[0]?.toFixed(1)}`);
  results.set(way, [...(results.get(way) ?? []), figures]);
}

async function ours(
  leaf: number,
  encryption: "tls" | "noise",
  via: "libp2p" | "websocket" | "http",
): Promise<void> {
  await using from = await startNode(encryption);
  const { cid = "" } = await from.ask({ do: "add", bytes: BYTES, chunkBytes: leaf });
  await using to = await startNode(encryption);
  const file = join(work, "out");
  const before = cpuMsOf(from.pid);
  const source = via === "libp2p" ? from.address : from.url;
  const { cid: _cid, ...got } = await to.ask({ do: "get", cid, from: source, via, file });
  if (statSync(file).size !== BYTES) throw new Error("the file is not whole");
  const name = via === "libp2p" ? `cidcast libp2p, ${encryption}` : `cidcast ${via}`;
  note(`${leaf / 1024} KiB · ${name}`, { ...got, senderCpuMs: cpuMsOf(from.pid) - before });
  if (via === "libp2p" && encryption === "tls") {
    await using seeker = await startNode(encryption);
    note(
      `${leaf / 1024} KiB · seek`,
      await seeker.ask({ do: "seek", cid, from: from.address, bytes: BYTES }),
    );
  }
  rmSync(file);
}

async function bitswap(leaf: number): Promise<void> {
  await using from = await startNode("noise");
  const { cid = "" } = await from.ask({ do: "add", bytes: BYTES, chunkBytes: leaf });
  await using to = await startNode("noise");
  const file = join(work, "out");
  note(`${leaf / 1024} KiB · @helia/bitswap`, await to.ask({ do: "bitswap", cid, from: from.address, file }));
  rmSync(file);
}

/** Reads an address into a file. */
async function intoFile(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Figures> {
  const startedMs = performance.now();
  let firstMs = 0;
  const response = await fetch(url, { headers });
  if (!response.ok || response.body === null) throw new Error(`${url}: ${response.status}`);
  const body = Readable.fromWeb(response.body as never);
  body.once("data", () => (firstMs = performance.now() - startedMs));
  const file = join(work, "out");
  await pipeline(body, createWriteStream(file, { highWaterMark: MIB }));
  const ms = performance.now() - startedMs;
  if (statSync(file).size < BYTES) throw new Error("the file is not whole");
  rmSync(file);
  return { ms, firstMs };
}

async function kuboFile(kubo: Kubo, leaf: number): Promise<string> {
  const file = join(work, "in");
  await pipeline(noise(BYTES), createWriteStream(file));
  const args = ["add", "-Q", "--cid-version=1", "--raw-leaves", `--chunker=size-${leaf}`, file];
  const cid = (await kubo.ipfs(args)).toString().trim();
  rmSync(file);
  return cid;
}

/** Kubo to Kubo by bitswap: through the gateway of the second, which fetches as it is read. */
async function kuboBitswap(leaf: number): Promise<boolean> {
  const from = await startKubo();
  if ("missing" in from) {
    console.log(`Kubo is left out: ${from.missing}`);
    return false;
  }
  await using _from = from;
  const cid = await kuboFile(from, leaf);
  const to = await startKubo();
  if ("missing" in to) return false;
  await using _to = to;
  await to.ipfs(["swarm", "connect", from.addresses.find(address => !address.includes("/ws")) ?? ""]);
  const before = [cpuMsOf(to.pid), cpuMsOf(from.pid)];
  const got = await intoFile(`${to.gateway}/ipfs/${cid}`);
  const cpuMs = cpuMsOf(to.pid) - (before[0] ?? 0);
  const senderCpuMs = cpuMsOf(from.pid) - (before[1] ?? 0);
  note(`${leaf / 1024} KiB · Kubo bitswap`, { ...got, cpuMs, senderCpuMs });
  note(`${leaf / 1024} KiB · CAR of Kubo, read`, await intoFile(`${from.gateway}/ipfs/${cid}?format=car`));
  return true;
}

async function carOfOurs(leaf: number): Promise<void> {
  await using from = await startNode("tls");
  const { cid = "" } = await from.ask({ do: "add", bytes: BYTES, chunkBytes: leaf });
  note(`${leaf / 1024} KiB · CAR of cidcast, read`, await intoFile(`${from.url}/ipfs/${cid}?format=car`));
}

/** How late pictures of a viewer of the receiving node come while a file comes in, against the times they carry. */
async function viewerLag(): Promise<void> {
  await using from = await startNode("tls");
  const { cid = "" } = await from.ask({ do: "add", bytes: BYTES, chunkBytes: 256 * 1024 });
  await using to = await startNode("tls", "media");
  using client = new CidcastClient({ url: to.url });
  let first: { atMs: number; rtp: number } | undefined;
  let worst = 0;
  const playing = Promise.withResolvers<void>();
  let packets = 0;
  using _stream = await client.streamContent(to.sampleCid ?? "", {
    loop: true,
    createPeerConnection: configuration =>
      new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } }),
    onPacket({ kind, rtp }) {
      if (kind !== "video" || ((rtp[1] ?? 0) & 0x80) === 0) return;
      const time = new DataView(rtp.buffer, rtp.byteOffset).getUint32(4);
      const atMs = performance.now();
      if (++packets === 60) {
        first = { atMs, rtp: time };
        playing.resolve();
      }
      if (first === undefined) return;
      const late = atMs - first.atMs - ((time - first.rtp) | 0) / 90;
      worst = Math.max(worst, late);
    },
  });
  await playing.promise;
  worst = 0;
  await to.ask({ do: "get", cid, from: from.address, via: "libp2p", file: join(work, "out") });
  note("a viewer meanwhile", { lagMs: worst });
}

function median(values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : (sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN);
}

try {
  console.log(`${sizeMib} MiB, ${rounds} rounds, load ${loadavg()[0]?.toFixed(1)}`);
  for (let round = 0; round < rounds; round++) {
    for (const leaf of [256 * 1024, MIB]) {
      await ours(leaf, "tls", "libp2p");
      const hasKubo = withKubo && (await kuboBitswap(leaf));
      await ours(leaf, "noise", "libp2p");
      await ours(leaf, "tls", "http");
      await ours(leaf, "tls", "websocket");
      if (hasKubo) await carOfOurs(leaf);
      if (round === 0) await bitswap(leaf);
    }
    await viewerLag();
  }
  const rows = [...results]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([way, list]) => {
      const of = (name: string): number => median(list.map(figures => figures[name] ?? Number.NaN));
      const round1 = (value: number): number | string =>
        Number.isNaN(value) ? "" : Math.round(value * 10) / 10;
      return {
        way,
        "MB/s": round1(BYTES / 1000 / of("ms")),
        "dial ms": round1(of("dialMs")),
        "first byte ms": round1(of("firstMs")),
        "CPU s": round1(of("cpuMs") / 1000),
        "sender CPU s": round1(of("senderCpuMs") / 1000),
        "RSS above idle MB": round1(of("aboveIdleMb")),
        "loop p99 ms": round1(of("loopP99Ms")),
        "seek p50 ms": round1(of("p50Ms")),
        "seek p95 ms": round1(of("p95Ms")),
        "lag ms": round1(of("lagMs")),
      };
    });
  console.table(rows);
} finally {
  rmSync(work, { recursive: true, force: true });
}
