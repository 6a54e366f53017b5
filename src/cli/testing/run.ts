import { PassThrough, Readable } from "node:stream";
import { createNode } from "../../node.ts";
import type { CliEnvironment } from "../environment.ts";
import { runCli } from "../program.ts";

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly opened: readonly string[];
}

/** Runs a command in this process, on a real node where it opens one. */
export async function run(
  args: readonly string[],
  init: {
    readonly cwd: string;
    readonly dataDir?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly stdin?: string;
    readonly signal?: AbortSignal;
    readonly onReload?: CliEnvironment["onReload"];
    readonly tty?: boolean;
  },
): Promise<Ended> {
  const stdout = new PassThrough();
  const stderr = Object.assign(new PassThrough(), { isTTY: init.tty === true });
  const texts = Promise.all([text(stdout), text(stderr)]);
  const opened: string[] = [];
  const environment: CliEnvironment = {
    stdin: Readable.from([init.stdin ?? ""], { objectMode: false }),
    stdout,
    stderr,
    env: { ...(init.dataDir !== undefined && { CIDCAST_DATA_DIR: init.dataDir }), ...init.env },
    cwd: init.cwd,
    version: "0.0.0-cli",
    signal: init.signal ?? new AbortController().signal,
    onReload: init.onReload ?? (() => () => undefined),
    openNode: createNode,
    openBrowser: async url => {
      opened.push(url);
    },
  };
  const code = await runCli(args, environment);
  stdout.end();
  stderr.end();
  const [out, err] = await texts;
  return { code, stdout: out, stderr: err, opened };
}

async function text(stream: PassThrough): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
