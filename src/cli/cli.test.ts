import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { EXIT } from "./exit-codes.ts";
import { run } from "./testing/run.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
/** A node without its parts that listen elsewhere. */
const QUIET = ["--p2p-enabled", "no", "--webrtc-enabled", "no", "--no-sample", "--log-level", "error"];

// Each of these starts several nodes, some of them as processes.
vi.setConfig({ testTimeout: 60_000 });

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cidcast-cli-"));
  await mkdir(join(dir, "film/extras"), { recursive: true });
  await writeFile(join(dir, "hello.txt"), "hello world");
  await writeFile(join(dir, "film/a.txt"), "aaa");
  await writeFile(join(dir, 'film/extras/b "q" %20 ü.txt'), "bb");
});
afterAll(async () => rm(dir, { recursive: true, force: true, maxRetries: 20 }));

/** The program as a process of its own. */
function program(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: dir,
    env: { PATH: process.env["PATH"], ...env },
  });
  const out = { stdout: "", stderr: "" };
  child.stdout.on("data", chunk => (out.stdout += String(chunk)));
  child.stderr.on("data", chunk => (out.stderr += String(chunk)));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, ...out }));
  return { child, out, ended };
}

async function started(args: readonly string[]) {
  const node = program(["start", "--json", "--port", "0", ...QUIET, ...args]);
  while (!node.out.stdout.includes("\n")) {
    await Promise.race([once(node.child.stdout, "data"), node.ended]);
    if (node.child.exitCode !== null) throw new Error(node.out.stderr);
  }
  const facts = JSON.parse(node.out.stdout) as {
    url: string;
    pid: number;
    dataDir: string;
    adminKeyFile: string;
  };
  return { ...node, facts };
}

describe("the program", () => {
  test("suggests what was meant, in one line, and says it was used wrongly", async () => {
    const { code, stdout, stderr } = await program(["ad"]).ended;
    expect({ code, stdout, stderr }).toEqual({
      code: EXIT.usage,
      stdout: "",
      stderr: "cidcast: unknown command 'ad' (Did you mean one of add, id?) [INVALID_REQUEST]\n",
    });
  });

  test("names the commands below one that is none by itself", async () => {
    expect((await run(["pin"], { cwd: dir })).stderr).toBe(
      "cidcast: A command is needed, one of add, rm, ls: see cidcast pin --help [INVALID_REQUEST]\n",
    );
  });

  test("starts, is found by the verbs, and stops when asked", async () => {
    const dataDir = join(dir, "node-1");
    const node = await started(["--data-dir", dataDir]);
    expect(node.facts).toMatchObject({ event: "started", pid: node.child.pid, dataDir });
    expect(node.facts.adminKeyFile).toContain(dataDir);
    const flags = ["--data-dir", dataDir, "--json"];
    const added = JSON.parse((await run(["add", "film", ...flags], { cwd: dir })).stdout);
    expect(added).toMatchObject({ name: "film", size: 5, contentType: "inode/directory" });
    const page = await fetch(`${node.facts.url}/ipfs/${added.cid}/a.txt`);
    expect(await page.text()).toBe("aaa");
    const play = JSON.parse((await run(["play", `${added.cid}/a.txt`, ...flags], { cwd: dir })).stdout);
    expect(play.url).toBe(`${node.facts.url}/play/${added.cid}/a.txt`);
    const second = await run(["start", "--port", "0", ...QUIET, "--data-dir", dataDir], { cwd: dir });
    expect([second.code, second.stderr]).toEqual([
      EXIT.unavailable,
      expect.stringContaining("[DATA_DIR_LOCKED]"),
    ]);
    expect((await run(["stop", ...flags], { cwd: dir })).code).toBe(EXIT.ok);
    expect((await node.ended).code).toBe(EXIT.ok);
    const after = await run(["ls", ...flags], { cwd: dir });
    expect(JSON.parse(after.stdout)).toMatchObject({ cid: added.cid });
  });

  test.each(["SIGINT", "SIGTERM"] as const)("stops cleanly at %s", async signal => {
    const node = await started(["--data-dir", join(dir, `node-${signal}`)]);
    node.child.kill(signal);
    expect(await node.ended).toMatchObject({ code: EXIT.ok });
    await expect(fetch(node.facts.url)).rejects.toThrow(/fetch failed/);
  });

  test("finds content again after its node was killed", async () => {
    const dataDir = join(dir, "node-killed");
    const node = await started(["--data-dir", dataDir]);
    const flags = ["--data-dir", dataDir, "--json"];
    const { cid } = JSON.parse((await run(["add", "hello.txt", ...flags], { cwd: dir })).stdout);
    node.child.kill("SIGKILL");
    await node.ended;
    expect((await run(["cat", cid, ...flags], { cwd: dir })).stdout).toBe("hello world");
  });

  test("ends quietly when its reader leaves", async () => {
    const big = join(dir, "big.bin");
    await writeFile(big, new Uint8Array(8 * 1024 * 1024));
    const dataDir = join(dir, "pipe");
    const { cid } = JSON.parse(
      (await run(["add", big, "--json", "--data-dir", dataDir], { cwd: dir })).stdout,
    );
    const cat = program(["cat", cid, "--data-dir", dataDir]);
    await once(cat.child.stdout, "data");
    cat.child.stdout.destroy();
    expect(await cat.ended).toMatchObject({ code: EXIT.ok, stderr: "" });
  });

  test("refuses to serve other machines without a token, and says how", async () => {
    const { code, stderr } = await program([
      "start",
      "--host",
      "0.0.0.0",
      ...QUIET,
      "--data-dir",
      join(dir, "open"),
    ]).ended;
    expect(code).toBe(EXIT.usage);
    expect(stderr).toMatch(/--token.*\[INVALID_CONFIG\]\n$/);
  });
});

describe("verbs on a data directory", () => {
  test("add, list, describe, read, pin, remove and collect", async () => {
    const at = { cwd: dir, dataDir: join(dir, "verbs") };
    const file = JSON.parse((await run(["add", "hello.txt", "--json"], at)).stdout);
    expect(file).toEqual({
      cid: expect.stringMatching(/^baf/),
      name: "hello.txt",
      size: 11,
      contentType: "text/plain",
    });
    const folder = JSON.parse((await run(["add", "film", "--json"], at)).stdout);
    const typed = JSON.parse(
      (await run(["add", "-", "--name", "typed.txt", "--json"], { ...at, stdin: "typed" })).stdout,
    );
    expect(typed).toMatchObject({ name: "typed.txt", size: 5 });
    const listed = (await run(["ls", "--json"], at)).stdout
      .trim()
      .split("\n")
      .map(line => JSON.parse(line).name);
    expect(new Set(listed)).toEqual(new Set(["film", "hello.txt", "typed.txt"]));
    expect((await run(["ls", "--search", "hel"], at)).stdout).toMatch(
      /^baf\w+ {2}11 B {2}text\/plain {2}hello.txt\n$/,
    );
    expect((await run(["ls", folder.cid], at)).stdout).toMatch(/3 B {2}a.txt\n.*extras\/\n/);
    expect((await run(["cat", file.cid, "--offset", "6", "--length", "3"], at)).stdout).toBe("wor");
    expect((await run(["cat", `/ipfs/${folder.cid}/extras/b "q" %20 ü.txt`], at)).stdout).toBe("bb");
    expect(JSON.parse((await run(["stat", file.cid, "--json"], at)).stdout)).toMatchObject({
      size: 11,
      complete: true,
    });
    expect((await run(["pin", "add", file.cid, "--name", "keep"], at)).stdout).toBe(`pinned ${file.cid}\n`);
    expect((await run(["pin", "ls"], at)).stdout).toContain(`${file.cid}  keep`);
    expect((await run(["pin", "rm", file.cid, "--name", "nope"], at)).code).toBe(EXIT.notFound);
    expect((await run(["pin", "rm", file.cid, "--name", "keep"], at)).code).toBe(EXIT.ok);
    expect((await run(["rm", typed.cid], at)).stdout).toBe(`removed ${typed.cid}\n`);
    expect((await run(["gc"], at)).stdout).toMatch(/^\d+ blocks removed/);
    expect((await run(["cat", typed.cid], at)).code).toBe(EXIT.notFound);
    expect(JSON.parse((await run(["version", "--json"], at)).stdout)).toMatchObject({ version: "0.0.0-cli" });
    expect((await run(["status"], at)).stdout).toContain("content  ready");
    for (const args of [["play", file.cid], ["peers"], ["peers", "connect", "/ip4/1.2.3.4"], ["stop"]]) {
      expect([args[0], (await run(args, at)).code]).toEqual([args[0], EXIT.unavailable]);
    }
  });

  test("get saves a file under its name and a directory as it was", async () => {
    const at = { cwd: join(dir, "got"), dataDir: join(dir, "get") };
    await mkdir(at.cwd);
    const [file, folder] = (await run(["add", "../hello.txt", "../film", "--json"], at)).stdout
      .trim()
      .split("\n")
      .map(line => JSON.parse(line).cid as string);
    expect((await run(["get", file!], at)).stdout).toBe(`${join(at.cwd, "hello.txt")}\n`);
    expect((await run(["get", file!], at)).stderr).toContain("[CONFLICT]");
    expect((await run(["get", file!, "--force"], at)).code).toBe(EXIT.ok);
    expect((await run(["get", `${folder}/a.txt`, "--json"], at)).stdout).toContain('"bytes":3');
    await run(["get", folder!, "-o", "copy"], at);
    expect(await readFile(join(at.cwd, 'copy/extras/b "q" %20 ü.txt'), "utf8")).toBe("bb");
    expect((await readdir(at.cwd, { recursive: true })).filter(name => name.endsWith(".part"))).toEqual([]);
  });

  test("car export writes a CAR that car import takes on another data directory", async () => {
    const [from, to] = [
      { cwd: dir, dataDir: join(dir, "car-from") },
      { cwd: dir, dataDir: join(dir, "car-to") },
    ];
    const { cid } = JSON.parse((await run(["add", "film", "--json"], from)).stdout) as { cid: string };
    expect((await run(["car", "export", cid, "-o", "film.car"], from)).code).toBe(EXIT.ok);
    expect((await run(["car", "export", cid, "-o", "film.car"], from)).stderr).toContain("CONFLICT");
    const imported = JSON.parse((await run(["car", "import", "film.car", "--json"], to)).stdout) as unknown;
    expect(imported).toMatchObject({ roots: [cid], blocks: expect.any(Number) as number });
    expect((await run(["cat", `${cid}/a.txt`], to)).stdout).toBe("aaa");
    expect((await run(["pin", "ls"], to)).stdout).toContain(cid);
  });

  test("errors are one line with a code, or one object with --json", async () => {
    const at = { cwd: dir, dataDir: join(dir, "errors") };
    const plain = await run(["cat", "nonsense"], at);
    expect([plain.code, plain.stdout]).toEqual([EXIT.usage, ""]);
    expect(plain.stderr).toMatch(/^cidcast: .* \[INVALID_CID\]\n$/);
    const json = await run(["cat", "nonsense", "--json"], at);
    expect(JSON.parse(json.stderr)).toEqual({ error: { code: "INVALID_CID", message: expect.any(String) } });
    expect((await run(["add", "nowhere.txt"], at)).code).toBe(EXIT.notFound);
    expect((await run(["add", "a", "b", "--name", "x"], at)).code).toBe(EXIT.usage);
    expect((await run(["ls", "--jso"], at)).stderr).toContain("Did you mean --json?");
    expect((await run(["cat", "x", "--offset", "-1"], at)).code).toBe(EXIT.usage);
    expect((await run([], at)).code).toBe(EXIT.usage);
    expect((await run(["--version"], at)).stdout).toBe("0.0.0-cli\n");
    expect((await run(["start", "--prot", "1"], at)).stderr).toContain("Did you mean --port?");
    expect((await run(["start", "--port", "x"], at)).stderr).toContain("[INVALID_CONFIG]");
    const env = { CIDCAST_PROT: "1" };
    expect((await run(["ls"], { ...at, env })).stderr).toContain("did you mean CIDCAST_PORT?");
  });

  test("an interrupt ends a command with its own code", async () => {
    const at = { cwd: dir, dataDir: join(dir, "interrupted") };
    const signal = AbortSignal.abort();
    expect(await run(["add", "hello.txt"], { ...at, signal })).toMatchObject({
      code: EXIT.interrupted,
      stderr: "cidcast: Interrupted [ABORTED]\n",
    });
  });
});
