// `npm run bench -- fanout [cidcast,ws,python] [1000,10000]`
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const SERVERS: Readonly<Record<string, readonly string[]>> = {
  cidcast: [process.execPath, "--expose-gc", here("server-cidcast.ts")],
  ws: [process.execPath, "--expose-gc", here("server-ws.ts")],
  python: [process.env["PYTHON"] ?? "python3", here("server-python.py")],
  go: [process.env["FANOUT_GO"] ?? "fanout-go"],
};
/** Loads: events, how many in one turn, pause between turns. */
const LOADS = {
  burst: { events: 2000, perTurn: 50, pauseMs: 1 },
  alone: { events: 60, perTurn: 1, pauseMs: 0 },
  steady: { events: 500, perTurn: 1, pauseMs: 10 },
} as const;

type Line = Readonly<Record<string, number & string>>;

/** A child that is talked to in lines of JSON. */
class Worker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  constructor([program = "", ...args]: readonly string[]) {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }
  async line(): Promise<Line> {
    return JSON.parse(String((await this.#lines.next()).value)) as Line;
  }
  ask(text: string): Promise<Line> {
    this.#child.stdin?.write(`${text}\n`);
    return this.line();
  }
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

async function measure(name: string, subscribers: number): Promise<void> {
  const server = new Worker(SERVERS[name] ?? []);
  const { url } = await server.line();
  await sleep(300);
  const before = (await server.ask("memory"))["rss"] ?? 0;
  const clients = new Worker([process.execPath, here("clients.ts"), String(url), String(subscribers)]);
  await clients.line();
  await sleep(1500);
  const idle = ((await server.ask("memory"))["rss"] ?? 0) - before;
  console.log(`${name} ${subscribers}: idle ${(idle / subscribers / 1024).toFixed(1)} KiB per connection`);
  for (const [load, { events, perTurn, pauseMs }] of Object.entries(LOADS)) {
    if (load === "steady" && subscribers > 1000) continue;
    const count = load === "burst" && subscribers > 1000 ? events / 4 : events;
    await clients.ask(String(count * subscribers));
    const start = (await server.ask("cpu"))["cpuMs"] ?? 0;
    const startMs = performance.now();
    // Alone: the next event is emitted when the one before has reached everybody.
    const rounds = load === "alone" ? count : 1;
    let p99 = 0;
    for (let n = 0; n < rounds; n += 1) {
      if (rounds > 1) await clients.ask(String(subscribers));
      await server.ask(`emit ${count / rounds} ${perTurn} ${pauseMs}`);
      p99 = Math.max(p99, (await clients.line())["p99"] ?? 0);
    }
    const cpuMs = ((await server.ask("cpu"))["cpuMs"] ?? 0) - start;
    const rate = (count * subscribers) / (cpuMs / 1000);
    console.log(
      `${name} ${subscribers} ${load}: ${Math.round(rate)} deliveries per CPU-second, p99 ${p99.toFixed(1)} ms, ${Math.round(performance.now() - startMs)} ms`,
    );
  }
  clients.kill();
  server.kill();
}

const [names = "cidcast,ws", counts = "1000,10000"] = process.argv.slice(2);
for (const name of names.split(","))
  for (const count of counts.split(",")) await measure(name, Number(count));
