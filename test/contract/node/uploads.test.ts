import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { uploadResult } from "@cidcast/protocols/node-api";
import { Upload } from "tus-js-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const QUIET = ["--p2p-enabled", "no", "--webrtc-enabled", "no", "--no-sample", "--log-level", "error"];
const SIZE = 24 * 1024 * 1024;

// Starts nodes as processes.
vi.setConfig({ testTimeout: 120_000 });

let dir: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cidcast-uploads-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true, maxRetries: 20 });
});

/** A node as a process of its own; resolves when it serves. */
async function started(port: number): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const args = [MAIN, "start", "--json", "--port", String(port), ...QUIET, "--data-dir", join(dir, "data")];
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

/** A way to the node that stops in the middle of an upload, so that the node can be killed there. */
async function throttledWay(port: number, afterBytes: number) {
  const sockets = new Set<Socket>();
  const reached = Promise.withResolvers<void>();
  const server = createServer(socket => {
    sockets.add(socket);
    const onward = connect(port, "127.0.0.1");
    let bytes = 0;
    socket.on("data", chunk => {
      bytes += chunk.length;
      onward.write(chunk);
      if (bytes < afterBytes) return;
      socket.pause();
      reached.resolve();
    });
    onward.pipe(socket);
    const end = (): void => {
      socket.destroy();
      onward.destroy();
    };
    socket.on("error", end).on("close", end);
    onward.on("error", end).on("close", end);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    reached: reached.promise,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("an upload goes on where it was after the node was killed in its middle", async () => {
  const bytes = Buffer.alloc(SIZE);
  for (let i = 0; i < SIZE; i += 4) bytes.writeUInt32LE((i * 2_654_435_761) >>> 0, i);
  const first = await started(0);
  const port = Number(new URL(first.url).port);
  const way = await throttledWay(port, SIZE / 3);
  const metadata = { filename: "film.bin", filetype: "application/octet-stream" };
  let location = "";
  const half = new Upload(bytes, {
    endpoint: `${way.url}/api/v0/uploads`,
    metadata,
    headers: { host: `127.0.0.1:${port}` },
    retryDelays: null,
    onAfterResponse: (_request, response) => {
      location ||= response.getHeader("location") ?? "";
    },
    onError: () => undefined,
  });
  half.start();
  await way.reached;
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  await half.abort();
  way.close();

  const { url } = await started(port);
  const address = new URL(location, url).href;
  const before = uploadResult.parse(await (await fetch(address)).json());
  expect(before.offset).toBeGreaterThan(0);
  expect(before.offset).toBeLessThan(SIZE);
  expect(before.added).toBeUndefined();
  const done = Promise.withResolvers<void>();
  const sent: number[] = [];
  const rest = new Upload(bytes, {
    uploadUrl: address,
    retryDelays: null,
    onProgress: at => sent.push(at),
    onSuccess: () => done.resolve(),
    onError: error => done.reject(error),
  });
  rest.start();
  await done.promise;
  // Nothing of the first third was sent again.
  expect(Math.min(...sent)).toBeGreaterThanOrEqual(before.offset);
  const { added } = uploadResult.parse(await (await fetch(address)).json());
  expect(added).toMatchObject({ name: "film.bin", size: SIZE });
  const whole = await fetch(`${url}/api/v0/add?name=whole`, { method: "POST", body: bytes });
  expect(added?.cid).toBe(((await whole.json()) as { cid: string }).cid);
});
