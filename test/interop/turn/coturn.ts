import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DebianProgram } from "../debian.ts";
import { freePort } from "../redis/redis-server.ts";

/** coturn on a port of the loopback interface, with credentials made from a secret. */
export class Coturn implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#child = child;
    this.port = port;
    this.#folder = folder;
  }

  static async start({ path, env }: DebianProgram, secret: string): Promise<Coturn> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), "cidcast-coturn-"));
    const settings = [
      "--no-cli",
      "--no-tls",
      "--no-dtls",
      "--listening-ip=127.0.0.1",
      "--relay-ip=127.0.0.1",
      "--allow-loopback-peers",
      `--listening-port=${port}`,
      "--realm=cidcast.test",
      "--use-auth-secret",
      `--static-auth-secret=${secret}`,
      "--log-file=stdout",
      `--pidfile=${join(folder, "pid")}`,
      `--userdb=${join(folder, "users")}`,
      "--verbose",
    ];
    const child = spawn(path, settings, { env, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    child.stderr.resume();
    let said = "";
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (/listener opened on|listening|Total auth threads/i.test(said)) break;
    }
    child.stdout.resume();
    if (child.exitCode !== null) throw new Error(`coturn did not start: ${said}`);
    return new Coturn(child, port, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "exit");
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
