import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { peerMissing } from "./peers.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What a checkout does not have. */
const MADE: ReadonlySet<string> = new Set([".git", "node_modules", "artifacts", "dist", "coverage"]);
/** How the packages may be reached: nothing else of this environment is given to the checkout. */
const NETWORK = [
  "npm_config_registry",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
] as const;
/** From the first install, with nothing in any cache. */
const START_TIMEOUT_MS = 280_000;
/** Ctrl-C ends a node within two seconds; npm takes its time to say so. */
const STOP_TIMEOUT_MS = 5_000;

/** The programs that a user has: none of a checkout. */
const path = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter(entry => !entry.includes(`${sep}node_modules${sep}`) && !entry.includes("node-gyp-bin"))
  .join(delimiter);

function npmVersion(): string | undefined {
  try {
    return execFileSync("npm", ["--version"], { env: { PATH: path }, encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

/** `npm start` as in a terminal: it leads a process group of its own, which Ctrl-C goes to. */
class Started {
  output = "";
  readonly #child: ChildProcess;

  constructor(directory: string, home: string) {
    const network = Object.fromEntries(NETWORK.map(name => [name, process.env[name]]));
    const env = { ...network, PATH: path, HOME: home, CIDCAST_WEBRTC_UDP_PORT: "0" };
    this.#child = spawn("npm", ["start", "--", "--port", "0"], {
      cwd: directory,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
  }

  /** What stands behind a word at the beginning of a line. */
  said(word: string): string | undefined {
    return new RegExp(`^ ${word} +(\\S.*)$`, "m").exec(this.output)?.[1];
  }

  async up(): Promise<void> {
    const endMs = performance.now() + START_TIMEOUT_MS;
    while (this.said("admin key") === undefined) {
      if (this.#isOver || performance.now() > endMs) throw new Error(`it did not start:\n${this.output}`);
      await sleep(100);
    }
  }

  /** Ctrl-C. True when it ended by itself. */
  async interrupt(): Promise<boolean> {
    const exited = once(this.#child, "exit");
    this.#signal("SIGINT");
    const late = setTimeout(() => this.#signal("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(late);
    return this.#child.signalCode !== "SIGKILL";
  }

  kill(): void {
    if (!this.#isOver) this.#signal("SIGKILL");
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
  }
}

describe("a checkout on a machine that has npm and nothing else", () => {
  const npm = npmVersion();
  let place = "";
  let directory = "";
  let home = "";
  const all: Started[] = [];
  const start = async (): Promise<Started> => {
    const started = new Started(directory, home);
    all.push(started);
    await started.up();
    return started;
  };
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), "cidcast-checkout-"));
    directory = join(place, "checkout");
    home = await mkdtemp(join(place, "home-"));
    for (const name of await readdir(ROOT)) {
      if (MADE.has(name)) continue;
      await cp(join(ROOT, name), join(directory, name), {
        recursive: true,
        filter: source => !MADE.has(source.slice(dirname(source).length + 1)),
      });
    }
  });
  afterAll(async () => {
    for (const started of all) started.kill();
    await rm(place, { recursive: true, force: true, maxRetries: 5 });
  });

  test("starts by one command, plays its sample, stops at Ctrl-C and finds everything again", async ctx => {
    if (npm === undefined) ctx.skip(peerMissing("npm", "there is no npm in the path"));
    const first = await start();
    const url = first.said("library") ?? "";
    const play = first.said("play") ?? "";
    expect(play).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/play\/bafy/);
    expect((await fetch(url)).headers.get("content-type")).toContain("text/html");
    expect(await (await fetch(play)).text()).toContain("<cid-play-page");
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const cid = play.split("/").at(-1) ?? "";
    const range = await fetch(`${url}/ipfs/${cid}`, { headers: { range: "bytes=4-7" } });
    expect([range.status, await range.text()]).toEqual([206, "ftyp"]);
    const probe = (await (await fetch(`${url}/api/v0/probe/${cid}`)).json()) as { tracks: unknown[] };
    expect(probe.tracks).toHaveLength(2);
    expect(await first.interrupt()).toBe(true);

    const second = await start();
    expect(second.said("peer id")).toBe(first.said("peer id"));
    expect(second.said("play")?.split("/").at(-1)).toBe(cid);
    expect(second.said("data")).toBe(first.said("data"));
    expect(second.output).not.toContain("Installing");
    expect(await second.interrupt()).toBe(true);
  });
});
