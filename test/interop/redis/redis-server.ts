import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { messageOf } from "../../../src/core/index.ts";
import { peerCacheDir, peerMissing } from "../peers.ts";

/** Debian's packages with redis-server and the libraries it is linked with. */
const PACKAGES = [
  "redis-server",
  "redis-tools",
  "libjemalloc2",
  "liblua5.1-0",
  "liblzf1",
  "lua-bitop",
  "lua-cjson",
  "libatomic1",
];

export interface RedisProgram {
  readonly program: string;
  readonly libraries: string | undefined;
}

/** Debian's redis-server: the installed one, or one unpacked outside the system. A text says why there is none. */
export function findRedis(): RedisProgram | string {
  const installed = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"].find(path => existsSync(path));
  if (installed !== undefined) return { program: installed, libraries: undefined };
  const directory = peerCacheDir("redis");
  const root = join(directory, "root");
  const program = join(root, "usr/bin/redis-server");
  try {
    if (!existsSync(program)) {
      execFileSync("apt-get", ["download", ...PACKAGES], { cwd: directory, stdio: "ignore" });
      for (const name of readdirSync(directory).filter(file => file.endsWith(".deb"))) {
        execFileSync("dpkg", ["-x", name, root], { cwd: directory, stdio: "ignore" });
      }
    }
    const [architecture = ""] = readdirSync(join(root, "usr/lib")).filter(name => name.includes("linux-gnu"));
    return { program, libraries: join(root, "usr/lib", architecture) };
  } catch (error) {
    return peerMissing("redis", messageOf(error));
  }
}

/** A redis-server that keeps nothing, on a port of the loopback interface; it can be killed and started again. */
export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #found: RedisProgram;
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(found: RedisProgram, port: number) {
    this.#found = found;
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  async start(): Promise<void> {
    const { program, libraries } = this.#found;
    const child = spawn(
      program,
      ["--port", String(this.#port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      {
        env: { ...process.env, ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }) },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    this.#child = child;
    let said = "";
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (said.includes("Ready to accept connections")) break;
    }
    child.stdout.resume();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  // The address of a TCP server is an object.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
