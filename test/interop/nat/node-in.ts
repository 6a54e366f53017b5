import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { ConfigInput } from "../../../src/config/index.ts";

const CHILD = fileURLToPath(new URL("./node-child.ts", import.meta.url));

const stateSchema = z.looseObject({
  state: z.string(),
  nat: z.string(),
  addresses: z.array(z.string()),
  connections: z.array(z.looseObject({ peerId: z.string(), relayed: z.boolean(), address: z.string() })),
  metrics: z.record(z.string(), z.number()),
});
const transferSchema = z.looseObject({
  ok: z.boolean(),
  bytes: z.number(),
  blocks: z.number(),
  attempts: z.array(z.looseObject({ code: z.string() })),
});

/** A whole node that runs in a network namespace. */
export class NodeIn implements AsyncDisposable {
  readonly peerId: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, folder: string, peerId: string) {
    this.#child = child;
    this.#lines = lines;
    this.#folder = folder;
    this.peerId = peerId;
  }

  static async start(namespace: string, p2p: ConfigInput["p2p"]): Promise<NodeIn> {
    const folder = await mkdtemp(join(tmpdir(), "cidcast-nat-"));
    const config: ConfigInput = {
      port: 0,
      sample: false,
      dataDir: folder,
      webrtc: { enabled: false },
      media: { transcode: false },
      mcp: { enabled: false },
      p2p,
    };
    const child = spawn("ip", ["netns", "exec", namespace, process.execPath, CHILD, JSON.stringify(config)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const hello = z.object({ peerId: z.string() }).parse(JSON.parse((await lines.next()).value ?? "{}"));
    return new NodeIn(child, lines, folder, hello.peerId);
  }

  async add(bytes: number): Promise<string> {
    return z.object({ cid: z.string() }).parse(await this.#ask({ do: "add", bytes })).cid;
  }

  async transfer(cid: string, from: string): Promise<z.output<typeof transferSchema>> {
    return transferSchema.parse(await this.#ask({ do: "transfer", cid, from }));
  }

  async state(): Promise<z.output<typeof stateSchema>> {
    return stateSchema.parse(await this.#ask({ do: "state" }));
  }

  /** Waits until the node is as it should be. */
  async until(
    accept: (state: z.output<typeof stateSchema>) => boolean,
  ): Promise<z.output<typeof stateSchema>> {
    for (;;) {
      const state = await this.state();
      if (accept(state)) return state;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #ask(order: object): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const { value } = await this.#lines.next();
    const { answer, error } = z
      .object({ answer: z.unknown().optional(), error: z.string().optional() })
      .parse(JSON.parse(value ?? '{"error":"the node ended"}'));
    if (error !== undefined) throw new Error(error);
    return answer;
  }
}
