import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { type DebianProgram, findDebianProgram } from "../debian.ts";

/** Debian's redis-server; a text says why there is none. */
export function findRedis(): DebianProgram | string {
  return findDebianProgram("redis-server", "redis-server", ["redis-tools", "lua-bitop", "lua-cjson"]);
}

/** A redis-server that keeps nothing, on a port of the loopback interface; it can be killed and started again. */
export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #found: DebianProgram;
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(found: DebianProgram, port: number) {
    this.#found = found;
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  async start(): Promise<void> {
    const { path, env } = this.#found;
    const child = spawn(
      path,
      ["--port", String(this.#port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      {
        env,
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

  /** It holds its connections, and answers nothing. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
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
