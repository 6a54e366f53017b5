import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JobBody } from "@cidcast/protocols/node-api/jobs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "./testing/run.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const CLIP = fileURLToPath(new URL("../../samples/sample-real-world.mp4", import.meta.url));
const QUIET = ["--p2p-enabled", "no", "--webrtc-enabled", "no", "--no-sample", "--log-level", "error"];

// Each of these starts nodes as processes, and encodes.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let dir: string;
const children: ChildProcess[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cidcast-prepare-cli-"));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true, maxRetries: 20 });
});

/** A node as a process of its own; resolves when it serves. */
async function started(dataDir: string, ...flags: string[]) {
  const args = [MAIN, "start", "--json", "--port", "0", ...QUIET, "--data-dir", dataDir, ...flags];
  const child = spawn(process.execPath, args, { cwd: dir, env: { PATH: process.env["PATH"] } });
  children.push(child);
  let out = "";
  let errors = "";
  child.stdout.on("data", chunk => (out += String(chunk)));
  child.stderr.on("data", chunk => (errors += String(chunk)));
  while (!out.includes("\n")) {
    await Promise.race([once(child.stdout, "data"), once(child, "close")]);
    if (child.exitCode !== null) throw new Error(errors);
  }
  return { child, url: (JSON.parse(out) as { url: string }).url };
}

async function command<T>(dataDir: string, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await run([...args, "--json", "--data-dir", dataDir], { cwd: dir });
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

/** Hears of jobs through the node's event stream until one event is what is waited for. */
async function told(url: string, accept: (event: string) => boolean): Promise<void> {
  const stream = await fetch(`${url}/api/v0/events?types=system_info,system_error`);
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  if (reader === undefined) throw new Error("no events");
  while (!text.split("\n").some(accept)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the events ended before: ${text}`);
    text += value;
  }
  await reader.cancel();
}

describe("prepare", () => {
  test("killed in the middle and started again it comes to the root of an undisturbed run", async () => {
    const calm = join(dir, "calm");
    const { cid } = await command<{ cid: string }>(calm, "add", CLIP);
    const undisturbed = await command<JobBody>(calm, "prepare", cid, "--presets", "very_low,low");
    expect(undisturbed).toMatchObject({ state: "done", cid, progress: { percent: 100 } });

    const hard = join(dir, "hard");
    const first = await started(hard, "--prepare-workers", "1");
    await command(hard, "add", CLIP);
    const progress = told(first.url, line => line.includes("job progress"));
    const { jobId } = await command<{ jobId: string }>(
      hard,
      "prepare",
      cid,
      "--presets",
      "low,very_low",
      "--detach",
    );
    await progress;
    const before = await command<JobBody>(hard, "jobs", jobId);
    expect(before.state).toBe("running");
    first.child.kill("SIGKILL");
    await once(first.child, "close");

    await started(hard);
    // The same once more is the job that goes on.
    await command<JobBody>(hard, "prepare", cid, "--presets", "very_low,low");
    const after = await command<JobBody>(hard, "jobs", jobId);
    expect(after).toMatchObject({ state: "done", result: { root: undisturbed.result?.root } });
    const root = after.result?.root ?? "";
    expect(await command<{ url: string }>(hard, "play", root)).toEqual({
      url: expect.stringMatching(new RegExp(`/play/${root}$`)),
    });
    // Signed by another key, each its own.
    expect(after.result?.signature).not.toBe(undisturbed.result?.signature);
  });

  test("says what it cannot do", async () => {
    const text = join(dir, "calm");
    const wrong = await run(["prepare", "bafy", "--presets", "huge", "--data-dir", text], { cwd: dir });
    expect(wrong.stderr).toContain("[INVALID_REQUEST]");
    const missing = await run(["jobs", "no-such-job", "--data-dir", text], { cwd: dir });
    expect(missing.stderr).toContain("[JOB_NOT_FOUND]");
  });
});
