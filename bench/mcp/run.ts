/** `npm run bench -- mcp [seconds] [rounds]`: calls of `echo` per second, p99 and CPU, per door and server. See README.md. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { pythonWith } from "../../test/interop/python/venv.ts";
import { peerCacheDir } from "../../test/interop/peers.ts";
import { type Ask, initialize, openPost, openSocket } from "./clients.ts";
import type { Place } from "./serve.ts";

const SECONDS = Number(process.argv[2] ?? 4);
const ROUNDS = Number(process.argv[3] ?? 3);
const CONCURRENCY = 8;
const IDLE_SESSIONS = 400;
/** Ticks of /proc per second. */
const TICKS = 100;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A server in a process of its own; it ends with its input. */
interface Subject {
  readonly name: string;
  readonly place: Place;
  memory(): Promise<{ readonly rss: number; readonly held: number }>;
  /** Processor time that it has used, milliseconds. */
  cpuMs(): number;
  close(): void;
}

async function start(name: string, [program = "", ...args]: readonly string[]): Promise<Subject> {
  const child: ChildProcess = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  if (child.stdout === null) throw new Error(`${name} has no output`);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
  // Servers of this folder tell what they are told to.
  const place = (await line()) as Place;
  return {
    name,
    place,
    async memory() {
      child.stdin?.write("memory\n");
      return (await line()) as { rss: number; held: number };
    },
    cpuMs() {
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
    },
    close: () => void child.stdin?.end(),
  };
}

interface Figures {
  readonly perSecond: number;
  readonly p99Ms: number;
  /** Of the server, microseconds. */
  readonly cpuPerCall: number;
}

async function measure(ask: Ask, subject: Subject): Promise<Figures> {
  const times: number[] = [];
  const loop = async (untilMs: number, keep: boolean): Promise<void> => {
    while (performance.now() < untilMs) {
      const startedMs = performance.now();
      await ask();
      if (keep) times.push(performance.now() - startedMs);
    }
  };
  const all = (seconds: number, keep: boolean) =>
    Promise.all(Array.from({ length: CONCURRENCY }, () => loop(performance.now() + seconds * 1000, keep)));
  await all(SECONDS / 4, false);
  const cpu = subject.cpuMs();
  await all(SECONDS, true);
  const used = subject.cpuMs() - cpu;
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / SECONDS,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    cpuPerCall: (used * 1000) / times.length,
  };
}

/** What an idle session holds, bytes, by what is left after a collection. */
async function idleSessions(subject: Subject): Promise<void> {
  const { place } = subject;
  for (const door of ["WebSocket", "Streamable HTTP"] as const) {
    const before = await subject.memory();
    const closes: (() => void)[] = [];
    for (let i = 0; i < IDLE_SESSIONS; i++) {
      if (door === "Streamable HTTP") await initialize(place.http ?? "", place.token);
      else closes.push((await openSocket(place.ws ?? "")).close);
    }
    const after = await subject.memory();
    const each = (bytes: number): string => (bytes / IDLE_SESSIONS / 1024).toFixed(1).padStart(7);
    console.log(
      `idle session, ${subject.name}, ${door.padEnd(16)} ${each(after.held - before.held)} KiB held, ${each(after.rss - before.rss)} KiB of RSS`,
    );
    for (const close of closes) close();
  }
}

const node = [process.execPath, "--expose-gc"];
const python = await pythonWith("bench-fastmcp", ["fastmcp==4.0.10"]);
const subjects = [
  await start("cidcast", [...node, here("serve-cidcast.ts")]),
  await start("SDK's bare server", [...node, here("serve-sdk.ts")]),
];
if (typeof python === "string") console.log(`without fastmcp: ${python}`);
else subjects.push(await start("fastmcp", [python.path, here("server-fastmcp.py")]));
try {
  const program = join(peerCacheDir("bench-mcp-go"), "server");
  execFileSync("go", ["build", "-o", program, "."], { cwd: here("go"), stdio: ["ignore", "ignore", "pipe"] });
  subjects.push(await start("go-sdk", [program]));
} catch (error) {
  console.log(`without go-sdk: ${String(error).slice(0, 200)}`);
}

const rows = new Map<string, Figures[]>();
for (let round = 0; round < ROUNDS; round++) {
  for (const subject of subjects) {
    const { http, ws, rpc, token, tenantId } = subject.place;
    const doors: readonly (readonly [string, () => Promise<{ ask: Ask; close(): void }>])[] = [
      ...(http === undefined ? [] : [["Streamable HTTP", () => openPost(http, { token })] as const]),
      ...(rpc === undefined
        ? []
        : [["POST /api/mcp/rpc/", () => openPost(rpc, { token, tenantId })] as const]),
      ...(ws === undefined ? [] : [["WebSocket", () => openSocket(ws)] as const]),
    ];
    for (const [door, open] of doors) {
      const client = await open();
      const row = `${door}, ${subject.name}`;
      rows.set(row, [...(rows.get(row) ?? []), await measure(client.ask, subject)]);
      client.close();
    }
  }
}

/** The middle one by calls. */
const middle = (figures: readonly Figures[]): Figures | undefined =>
  figures.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(figures.length / 2)];
for (const [row, figures] of rows) {
  const found = middle(figures);
  if (found === undefined) continue;
  const { perSecond, p99Ms, cpuPerCall } = found;
  console.log(
    `${row.padEnd(40)} ${String(Math.round(perSecond)).padStart(7)} calls/s  p99 ${p99Ms.toFixed(2).padStart(7)} ms  ${cpuPerCall.toFixed(0).padStart(6)} µs of the server's CPU per call`,
  );
}
function ratio(words: string, [one, other]: readonly [string, string], goal: number): void {
  const [a, b] = [middle(rows.get(one) ?? []), middle(rows.get(other) ?? [])];
  if (a === undefined || b === undefined) return;
  const calls = (a.perSecond / b.perSecond).toFixed(2);
  const cpu = (b.cpuPerCall / a.cpuPerCall).toFixed(2);
  console.log(`${words}: ${calls} by calls per second, ${cpu} by CPU (goal ${goal})`);
}
ratio("over HTTP against fastmcp", ["Streamable HTTP, cidcast", "Streamable HTTP, fastmcp"], 2);
ratio("over WebSocket against fastmcp over HTTP", ["WebSocket, cidcast", "Streamable HTTP, fastmcp"], 3);
ratio(
  "over HTTP against the SDK's bare server",
  ["Streamable HTTP, cidcast", "Streamable HTTP, SDK's bare server"],
  0.8,
);
ratio(
  "over WebSocket against the SDK's bare server",
  ["WebSocket, cidcast", "WebSocket, SDK's bare server"],
  0.8,
);
const [cidcast] = subjects;
if (cidcast !== undefined) await idleSessions(cidcast);
console.log(
  `load average ${loadavg()
    .map(load => load.toFixed(1))
    .join(" ")}, goal for a session 128 KiB`,
);
for (const subject of subjects) subject.close();
