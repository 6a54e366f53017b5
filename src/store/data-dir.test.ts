import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSettings, findRunningNode, lockDataDir, openDatabase, settingsMigrations } from "./index.ts";

describe("lockDataDir", () => {
  let path: string;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "cidcast-data-"));
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  test("two cannot have the same directory; released, the next one can", () => {
    const first = lockDataDir(path);
    expect(() => lockDataDir(path)).toThrow(expect.objectContaining({ code: "DATA_DIR_LOCKED" }));
    first.release();
    first.release();
    using second = lockDataDir(path);
    expect(second.path).toBe(path);
  });

  test("a process that is killed leaves no lock behind", async () => {
    const module = JSON.stringify(new URL("./index.ts", import.meta.url).href);
    const script = `import { lockDataDir } from ${module};
      lockDataDir(process.argv[1]).announce({ url: "http://127.0.0.1:1", pid: process.pid });
      process.stdout.write("locked"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    expect(() => lockDataDir(path)).toThrow(expect.objectContaining({ code: "DATA_DIR_LOCKED" }));
    expect(findRunningNode(path)).toEqual({ url: "http://127.0.0.1:1", pid: child.pid });
    child.kill("SIGKILL");
    await once(child, "exit");
    using again = lockDataDir(path);
    expect(again.path).toBe(path);
  });

  test("where the node listens is told while it runs, and nothing is made of a broken file", () => {
    expect(findRunningNode(path)).toBeUndefined();
    const held = lockDataDir(path);
    held.announce({ url: "http://127.0.0.1:8000", pid: 7 });
    expect(findRunningNode(path)).toEqual({ url: "http://127.0.0.1:8000", pid: 7 });
    held.release();
    expect(findRunningNode(path)).toBeUndefined();
    writeFileSync(join(path, "node.json"), '{"url":');
    expect(findRunningNode(path)).toBeUndefined();
  });

  test("the admin key is made once and only its owner can read it", () => {
    using held = lockDataDir(path);
    const { key, file } = held.adminKey();
    expect(key).toMatch(/^[\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(held.adminKey().key).toBe(key);
    expect(readFileSync(file, "utf8").trim()).toBe(key);
    writeFileSync(file, "");
    expect(() => held.adminKey()).toThrow(expect.objectContaining({ code: "STORAGE_FAILED" }));
  });

  test("a place where no directory can be made is a typed error", () => {
    const file = join(path, "file");
    writeFileSync(file, "");
    expect(() => lockDataDir(join(file, "sub"))).toThrow(expect.objectContaining({ code: "STORAGE_FAILED" }));
  });
});

describe("settings", () => {
  test("the last value written is read", async () => {
    await using database = await openDatabase({ file: ":memory:", migrations: settingsMigrations });
    const settings = createSettings(database);
    expect(await settings.get("a")).toBeUndefined();
    await settings.set("a", "1");
    await settings.set("a", "2");
    expect(await settings.get("a")).toBe("2");
  });
});
