import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { subscribeToNotifications } from "../../../packages/client/src/index.ts";

const EVENTS = 100_000;
const NODE = fileURLToPath(new URL("event-node.ts", import.meta.url));

let directory: string;
let child: ChildProcess;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cidcast-once-"));
});
afterEach(() => {
  child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** Starts the node; resolves with its port when it listens. */
async function start(port: string): Promise<string> {
  const node = spawn(process.execPath, [NODE, directory, port, String(EVENTS)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child = node;
  const [chunk] = (await once(node.stdout, "data")) as [Buffer];
  return chunk.toString().trim();
}

test("a node killed again and again: each event is given once, in order, none is missed", {
  timeout: 120_000,
}, async () => {
  const port = await start("0");
  const seen: number[] = [];
  const kills = [9_000, 20_000, 45_000, 70_000, 90_000];
  let restarting: Promise<unknown> = Promise.resolve();
  const backoff = { firstMs: 20, maxMs: 200, factor: 2, jitter: 0.5, maxAttempts: 200 };
  using subscription = subscribeToNotifications(
    { url: `http://127.0.0.1:${port}` },
    { types: ["custom_event"], backoff },
  );
  let resyncs = 0;
  let first: number | undefined;
  for await (const item of subscription) {
    if (item.type === "resync_required") resyncs += 1;
    if (item.type !== "notification") continue;
    first ??= item.offset;
    expect(item.data["n"]).toBe(item.offset);
    seen.push(item.offset);
    if (kills[0] !== undefined && item.offset >= kills[0]) {
      kills.shift();
      await restarting;
      child.kill("SIGKILL");
      restarting = once(child, "exit").then(() => start(port));
    }
    if (item.offset === EVENTS) break;
  }
  await restarting;
  expect(resyncs).toBe(0);
  expect(kills).toEqual([]);
  expect(seen).toEqual(Array.from({ length: EVENTS - (first ?? 0) + 1 }, (_, i) => i + (first ?? 0)));
});
