import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A node that runs in a process of its own. */
export interface NodeProcess extends AsyncDisposable {
  readonly url: string;
  /** From the call of createNode to a node that serves, ms. */
  readonly startMs: number;
}

/** Starts a node on `dataDir`; disposing it stops the process. */
export async function startNodeProcess(dataDir: string): Promise<NodeProcess> {
  const serve = fileURLToPath(new URL("./serve.ts", import.meta.url));
  const child = spawn(process.execPath, [serve, dataDir], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line"), exited.then(() => ["{}"])]);
  const { url, startMs }: { url?: string; startMs?: number } = JSON.parse(String(line));
  if (url === undefined || startMs === undefined) throw new Error("the node did not start");
  return {
    url,
    startMs,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}
