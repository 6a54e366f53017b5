import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../../../src/cli/testing/run.ts";
import { padding, readTar, TAR_END, tarHeader } from "../../../src/node/backup/tar.ts";
import { restoreBackup } from "../../../src/node/backup/index.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cidcast-backup-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* bytes(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** A node with a tenant, its token, a credential, a file of the tenant's and content. */
async function filled(served: ServedNode) {
  const tenancy = served.node.tenancy!;
  const { id: tenantId } = await tenancy.tenants.create({ name: "acme" });
  const { token } = await tenancy.tokens.create({
    tenantId,
    scopes: ["content:read", "files"],
    expiresInDays: 1,
  });
  await tenancy.credentials.store(
    { tenantId, toolName: "secure_api", credentialKey: "api_key" },
    "a-stored-credential",
  );
  const view = tenancy.contentView(served.node.content, tenantId);
  const { cid } = await view.add(bytes(Buffer.alloc(600_000, "block ")), { name: "kept.bin" });
  const [record] = (await tenancy.content.list(tenantId, { limit: 1, offset: 0 })).records;
  expect(record?.cid).toBe(cid);
  const directory = join(served.dataDir, "files", tenantId);
  await mkdir(join(directory, "deep"), { recursive: true });
  await writeFile(join(directory, "deep", `${"ü".repeat(60)}.txt`), "a tenant's own file");
  return { tenantId, token, cid };
}

async function asTenant(served: ServedNode, token: string, path: string): Promise<Response> {
  return fetch(`${served.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
}

test("a running node is backed up while it is written to, and restored whole elsewhere", async () => {
  const file = join(folder, "node.tar");
  const dataDir = join(folder, "restored");
  let known: Awaited<ReturnType<typeof filled>>;
  let peerKey: string;
  {
    await using served = await serveNode();
    known = await filled(served);
    peerKey = await readFile(served.node.adminKeyFile, "utf8");
    const adds = Promise.all(
      Array.from({ length: 20 }, (_, n) => served.node.content.add(bytes(`added meanwhile ${n}`))),
    );
    const collected = served.node.content.gc();
    const said = await run(["backup", file, "--blocks", "--json"], {
      cwd: folder,
      dataDir: served.dataDir,
    });
    expect([said.code, JSON.parse(said.stdout)]).toMatchObject([0, { event: "backup", blocks: true }]);
    await Promise.all([adds, collected]);
    // The copy of the database does not stay behind.
    expect((await readdir(served.dataDir)).filter(name => name.includes("backup"))).toEqual([]);
    expect((await stat(file)).mode & 0o077).toBe(0);
  }
  const restored = await run(["restore", file, "--data-dir", dataDir, "--json"], { cwd: folder });
  expect([restored.code, JSON.parse(restored.stdout)]).toMatchObject([0, { event: "restored", dataDir }]);
  await using again = await serveNode({ dataDir });
  const { tenantId, token, cid } = known;
  const answer = await asTenant(again, token, `/ipfs/${cid}`);
  expect([answer.status, (await answer.bytes()).length]).toEqual([200, 600_000]);
  const { tenancy, content, adminKeyFile } = again.node;
  const credential = { tenantId, toolName: "secure_api", credentialKey: "api_key" };
  expect(await tenancy!.credentials.value(credential)).toBe("a-stored-credential");
  expect(await readFile(adminKeyFile, "utf8")).toBe(peerKey);
  const ownFile = join(dataDir, "files", tenantId, "deep", `${"ü".repeat(60)}.txt`);
  expect(await readFile(ownFile, "utf8")).toBe("a tenant's own file");
  // What is pinned in the restored database is there, whatever moment it was taken at.
  for (const pin of await content.pins()) expect((await content.stat(pin.cid)).complete).toBe(true);
});

test("without the admin key nobody gets a backup", async () => {
  await using served = await serveNode();
  const { token } = await filled(served);
  for (const headers of [{}, { authorization: `Bearer ${token}` }, { "x-admin-key": "guessed" }]) {
    const answer = await fetch(`${served.url}/api/admin/backup`, { method: "POST", headers });
    expect(answer.status).toBe(401);
  }
});

test("a data directory that no node uses is backed up too, without its blocks", async () => {
  const file = join(folder, "node.tar");
  await using served = await serveNode();
  const { cid, token } = await filled(served);
  await served.node.stop();
  expect((await run(["backup", file], { cwd: folder, dataDir: served.dataDir })).code).toBe(0);
  const dataDir = join(folder, "restored");
  const restored = await run(["restore", file], { cwd: folder, dataDir });
  expect([restored.code, restored.stderr]).toEqual([0, expect.stringContaining("no blocks")]);
  await using again = await serveNode({ dataDir });
  expect((await asTenant(again, token, `/api/v0/content/${cid}`)).status).toBe(200);
  expect((await asTenant(again, token, `/ipfs/${cid}`)).status).toBe(404);
});

test("a backup that is not there, or is a directory, is told in a line", async () => {
  const target = join(folder, "from-nothing");
  const told = async (file: string): Promise<string> => {
    const { code, stderr } = await run(["restore", file], { cwd: folder, dataDir: target });
    expect(code).not.toBe(0);
    return stderr;
  };
  expect(await told("none.tar")).toMatch(/^cidcast: There is no file .*none\.tar \[NOT_FOUND\]\n$/);
  expect(await told(".")).toMatch(/^cidcast: .* is a directory \[INVALID_REQUEST\]\n$/);
  expect((await readdir(folder)).filter(name => name.startsWith("from-nothing"))).toEqual([]);
});

test("a directory that holds anything is left as it is", async () => {
  const file = join(folder, "node.tar");
  await using served = await serveNode();
  await run(["backup", file], { cwd: folder, dataDir: served.dataDir });
  const taken = join(folder, "taken");
  await mkdir(taken);
  await writeFile(join(taken, "mine.txt"), "mine");
  const refused = await run(["restore", file], { cwd: folder, dataDir: taken });
  expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining("is not empty")]);
  expect(await readdir(taken)).toEqual(["mine.txt"]);
  await mkdir(join(folder, "other.restoring"));
  const busy = await run(["restore", file], { cwd: folder, dataDir: join(folder, "other") });
  expect(busy.stderr).toContain("another restore");
});

test("what is damaged, cut off or reaches outside makes no directory at all", async () => {
  const file = join(folder, "node.tar");
  await using served = await serveNode();
  await filled(served);
  await run(["backup", file, "--blocks"], { cwd: folder, dataDir: served.dataDir });
  const whole = await readFile(file);
  const flipped = Buffer.from(whole);
  const at = whole.indexOf("a tenant's own file");
  flipped.write("A", at);
  const block = Buffer.from(whole);
  block.write("BLOCK", whole.indexOf("block block "));
  const entry = (path: string, text: string) =>
    Buffer.concat([tarHeader(path, text.length), Buffer.from(text), padding(text.length)]);
  const manifest = JSON.stringify({
    format: "cidcast-backup-1",
    version: "1.0.0",
    created_at: "2026-01-01T00:00:00.000Z",
    database: "sqlite",
    blocks: false,
  });
  const crafted = (path: string): Buffer =>
    Buffer.concat([entry("backup.json", manifest), entry(path, "x"), entry("sha256.json", "{}"), TAR_END]);
  const attempts: Record<string, Buffer> = {
    flipped,
    block,
    "cut off": whole.subarray(0, whole.length / 2),
    "without its end": whole.subarray(0, -2 * 512),
    "no backup": Buffer.from("hello"),
    ...Object.fromEntries(
      ["../out.txt", "files/../../out.txt", "/etc/out.txt", "files//out", "other.txt", "keys/a\\b"].map(
        path => [path, crafted(path)],
      ),
    ),
  };
  for (const [name, damaged] of Object.entries(attempts)) {
    const dataDir = join(folder, "restored");
    const outcome = restoreBackup({ source: bytes(damaged), dataDir }).then(
      () => "restored",
      (error: { code: string }) => error.code,
    );
    expect([name, await outcome]).toEqual([name, expect.stringMatching(/^(INVALID_REQUEST|CORRUPT_BLOCK)$/)]);
    expect(await readdir(folder)).toEqual(["node.tar"]);
  }
  const names: string[] = [];
  for await (const { path, body } of readTar(bytes(whole))) {
    names.push(path);
    for await (const _chunk of body);
  }
  expect([names[0], names.at(-1)]).toEqual(["backup.json", "sha256.json"]);
});
