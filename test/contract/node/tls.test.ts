import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { run } from "../../../src/cli/testing/run.ts";
import { selfSigned } from "../../../src/http/tls/self-signed.ts";
import { serveNode } from "./serve-node.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cidcast-tls-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A GET that trusts one certificate. */
async function get(url: string, ca: Buffer): Promise<{ readonly status: number; readonly serial: string }> {
  const sent = request(url, { ca, agent: false });
  sent.end();
  const [response] = await once(sent, "response");
  response.resume();
  const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
  return { status: response.statusCode, serial: serialNumber };
}

describe("a certificate of its own", () => {
  test("serves pages, the API and WebSockets, and the command line trusts it", async () => {
    await using served = await serveNode({ tls: { selfSigned: true } });
    expect(served.url).toMatch(/^https:\/\/127\.0\.0\.1:/);
    const file = join(served.dataDir, "tls", "cert.pem");
    const ca = await readFile(file);
    expect((await stat(join(served.dataDir, "tls", "key.pem"))).mode & 0o077).toBe(0);
    for (const host of ["127.0.0.1", "localhost"]) {
      const { status } = await get(`https://${host}:${served.port}/api/v0/status`, ca);
      expect([host, status]).toEqual([host, 200]);
    }
    const socket = new WebSocket(`wss://127.0.0.1:${served.port}/ws/notifications`, { ca });
    const [frame] = await once(socket, "message");
    expect(JSON.parse(String(frame))).toMatchObject({ type: "welcome" });
    socket.close();
    await expect(fetch(`${served.url}/healthz`)).rejects.toThrow("fetch failed");
    const listed = await run(["status", "--json"], { cwd: served.dataDir, dataDir: served.dataDir });
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    const asked = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n';
    const bridged = await run(["mcp"], { cwd: served.dataDir, dataDir: served.dataDir, stdin: asked });
    expect(JSON.parse(bridged.stdout)).toMatchObject({ id: 1, result: {} });
  });

  test("is kept while it fits, and made anew for another name or near its end", async () => {
    const directory = join(folder, "own");
    const hosts = ["localhost", "127.0.0.1"];
    const nowMs = Date.now();
    const serial = async (given: { hosts: string[]; nowMs: number }): Promise<string> =>
      (await readFile((await selfSigned(directory, given)).cert)).toString();
    const first = await serial({ hosts, nowMs });
    expect(await serial({ hosts, nowMs })).toBe(first);
    const named = await serial({ hosts: [...hosts, "node.example"], nowMs });
    expect(named).not.toBe(first);
    const later = await serial({ hosts, nowMs: nowMs + 340 * 24 * 60 * 60 * 1000 });
    expect(later).not.toBe(named);
  });
});

describe("a certificate from files", () => {
  test("is served, and its renewal too, without a restart", async () => {
    const old = await selfSigned(join(folder, "old"), { hosts: ["127.0.0.1"], nowMs: Date.now() });
    const renewed = await selfSigned(join(folder, "new"), { hosts: ["127.0.0.1"], nowMs: Date.now() });
    const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
    const put = async (from: typeof old): Promise<void> => {
      await copyFile(from.key, files.key);
      await copyFile(from.cert, files.cert);
    };
    await put(old);
    await using served = await serveNode({ tls: files });
    const before = await get(`${served.url}/healthz`, await readFile(old.cert));
    expect(before.status).toBe(200);
    const { serialNumber } = new X509Certificate(await readFile(renewed.cert));
    await put(renewed);
    // Until then the one before is served, which the new one does not vouch for.
    const nowServed = async (): Promise<string | undefined> =>
      get(`${served.url}/healthz`, await readFile(renewed.cert)).then(
        ({ serial }) => serial,
        () => undefined,
      );
    await expect.poll(nowServed, { timeout: 15_000, interval: 100 }).toBe(serialNumber);
  });

  test("that cannot be used is refused before anything is opened", async () => {
    const one = await selfSigned(join(folder, "one"), { hosts: ["127.0.0.1"], nowMs: Date.now() });
    const two = await selfSigned(join(folder, "two"), { hosts: ["127.0.0.1"], nowMs: Date.now() });
    const ended = await selfSigned(join(folder, "ended"), { hosts: ["127.0.0.1"], nowMs: 0 });
    for (const tls of [
      { cert: one.cert },
      { key: one.key },
      { cert: one.cert, key: two.key },
      { cert: ended.cert, key: ended.key },
      { cert: join(folder, "nowhere.pem"), key: one.key },
      { cert: one.key, key: one.key },
      { cert: one.cert, key: one.key, selfSigned: true },
    ]) {
      await expect(serveNode({ tls })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    }
  });
});
