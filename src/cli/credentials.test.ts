import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, watch } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadConfig } from "../config/index.ts";
import { type CidcastNode, createNode } from "../node.ts";
import { silentLogger } from "../core/index.ts";
import { run } from "./testing/run.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const SECRETS = 40;

vi.setConfig({ testTimeout: 120_000 });

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cidcast-rotate-"));
});
// The children of a program that was killed end by themselves, and write down their compiled code meanwhile.
afterEach(async () => rm(dataDir, { recursive: true, force: true, maxRetries: 20 }));

const keyFile = (): string => join(dataDir, "keys", "encryption-key");
const open = (serve: boolean): Promise<CidcastNode> =>
  createNode(
    {
      dataDir,
      port: 0,
      sample: false,
      webrtc: { enabled: false },
      p2p: { enabled: false },
    },
    { serve, mcp: true, log: silentLogger },
  );
const place = (tenantId: string, i: number) => ({ tenantId, toolName: "secure_api", credentialKey: `k${i}` });

async function stored({ tenancy }: CidcastNode): Promise<string> {
  if (tenancy === undefined) throw new Error("no tenants");
  const { id } = await tenancy.tenants.create({ name: "acme" });
  for (let i = 0; i < SECRETS; i++) await tenancy.credentials.store(place(id, i), `secret ${i}`);
  return id;
}

async function expectAll({ tenancy }: CidcastNode, tenantId: string): Promise<void> {
  const values = await tenancy?.credentials.values(tenantId, "secure_api");
  expect([...(values?.values() ?? [])].toSorted()).toEqual(
    Array.from({ length: SECRETS }, (_, i) => `secret ${i}`).toSorted(),
  );
}

test("the key is changed in a running node, and in a data directory that nobody runs on", async () => {
  let tenantId: string;
  let key: string;
  {
    await using node = await open(true);
    tenantId = await stored(node);
    key = readFileSync(keyFile(), "utf8");
    const { code, stdout } = await run(["credentials", "rotate", "--json"], { cwd: dataDir, dataDir });
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      { event: "rotated", resealed: SECRETS, keyId: expect.stringMatching(/^[\da-f]{8}$/) },
    ]);
    expect(readFileSync(keyFile(), "utf8")).not.toBe(key);
    await expectAll(node, tenantId);
  }
  key = readFileSync(keyFile(), "utf8");
  const { code, stdout } = await run(["credentials", "rotate"], { cwd: dataDir, dataDir });
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${SECRETS} credentials sealed anew`)]);
  expect(readFileSync(keyFile(), "utf8")).not.toBe(key);
  await using node = await open(false);
  await expectAll(node, tenantId);
});

test("MCP_ENCRYPTION_KEY takes the place of the key file, once what that sealed is sealed anew", async () => {
  let tenantId: string;
  {
    await using node = await open(false);
    tenantId = await stored(node);
  }
  const env = {
    MCP_ENCRYPTION_KEY: "a passphrase of many words",
    CIDCAST_MCP_PREVIOUS_ENCRYPTION_KEYS: readFileSync(keyFile(), "utf8").trim(),
  };
  const { code, stdout } = await run(["credentials", "rotate", "--json"], { cwd: dataDir, dataDir, env });
  expect([code, JSON.parse(stdout)["resealed"]]).toEqual([0, SECRETS]);
  const settings = loadConfig({ env: { MCP_ENCRYPTION_KEY: env.MCP_ENCRYPTION_KEY }, cwd: dataDir });
  expect(settings.mcp.encryptionKey).toBe(env.MCP_ENCRYPTION_KEY);
  const config = { ...settings, dataDir, webrtc: { enabled: false }, p2p: { enabled: false } };
  await using node = await createNode(config, { serve: false, mcp: true, log: silentLogger });
  await expectAll(node, tenantId);
});

test("a rotation that is killed loses nothing, and the next start ends it", async () => {
  let tenantId: string;
  {
    await using node = await open(false);
    tenantId = await stored(node);
  }
  const begun = Promise.withResolvers<void>();
  // The next key's file is the first sign of it; what it seals anew takes longer than a kill.
  const watcher = watch(join(dataDir, "keys"), (_, name) => {
    if (name === "encryption-key.next") begun.resolve();
  });
  const child = spawn(process.execPath, [MAIN, "credentials", "rotate", "--data-dir", dataDir], {
    env: { PATH: process.env["PATH"] },
    stdio: "ignore",
  });
  const ended = once(child, "close");
  await Promise.race([begun.promise, ended]);
  child.kill("SIGKILL");
  await ended;
  watcher.close();
  await using node = await open(false);
  await expectAll(node, tenantId);
  expect(existsSync(`${keyFile()}.next`)).toBe(false);
});
