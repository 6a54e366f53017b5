import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CidcastError } from "../../../core/index.ts";
import {
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_LENGTH,
  MAX_FILE_BYTES,
  MAX_FILE_DEPTH,
  MAX_FILE_ENTRIES,
  MAX_FILE_PATH_LENGTH,
  MAX_FILES,
} from "../../limits.ts";
import { startTestMcp } from "../../testing.ts";
import { calculate } from "./calculator-parser.ts";
import { createTenantFiles, namesOf, type TenantFiles } from "./tenant-files.ts";

describe("calculate", () => {
  test.each([
    ["2 + 2 * 3", 8],
    ["(2+2)*3", 12],
    ["10/4", 2.5],
    ["-7 % 3", 2],
    ["2**3**2", 512],
    ["-2**2", -4],
    ["2**-1", 0.5],
    ["1e3 + .5", 1000.5],
    ["--1", 1],
    ["3.", 3],
  ])("%s is %d", (text, value) => expect(calculate(text)).toBe(value));

  test.each([
    "",
    "1/0",
    "1%0",
    "(1",
    "1)",
    "1 1",
    "a",
    "process.exit()",
    "1;2",
    "9**999",
    "0x10",
    "__import__('os')",
    "1e999",
    "()",
    "2 ** ",
    "1,2",
  ])("%s is refused", text =>
    expect(() => calculate(text)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" })),
  );

  test("length and nesting end at their limits, in parentheses, signs and powers", () => {
    const nested = (n: number) => "(".repeat(n) + "1" + ")".repeat(n);
    expect(calculate(nested(MAX_EXPRESSION_DEPTH - 1))).toBe(1);
    const deep = [
      nested(MAX_EXPRESSION_DEPTH),
      `${"-".repeat(MAX_EXPRESSION_DEPTH)}1`,
      "1**".repeat(MAX_EXPRESSION_DEPTH) + "1",
    ];
    for (const text of deep) expect(() => calculate(text)).toThrow("nested deeper");
    expect(() => calculate(" ".repeat(MAX_EXPRESSION_LENGTH + 1))).toThrow("at most");
  });

  test("whatever it is given, it gives a finite number or says no", () => {
    const character = fc.constantFrom(...Array.from("0123456789.+-*/%()e "));
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 60 }), text => {
        const outcome = (() => {
          try {
            return Number.isFinite(calculate(text));
          } catch (error) {
            return error instanceof CidcastError;
          }
        })();
        expect(outcome).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("tenant files", () => {
  let base: string;
  let root: string;
  let files: TenantFiles;
  const free = (): void => {};
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), "cidcast-files-"));
    root = join(base, "tenant");
    writeFileSync(join(base, "outside.txt"), "outside");
    files = createTenantFiles(root);
  });
  afterEach(() => rmSync(base, { recursive: true }));

  test("what is written is read, listed and there", async () => {
    await files.write("/a/b.txt", bytes("hello"), free);
    await files.write("a/b.txt", bytes("again"), free);
    expect(Buffer.from(await files.read("a/./b.txt")).toString()).toBe("again");
    expect(await files.list("a")).toEqual({
      entries: [{ name: "b.txt", type: "file", size: 5 }],
      more: false,
    });
    expect((await files.list("")).entries).toEqual([{ name: "a", type: "directory", size: 0 }]);
    expect(
      await Promise.all(
        ["a", "a/b.txt", "c", "a/b.txt/c"].map(path => files.exists(path).catch(() => "error")),
      ),
    ).toEqual(["directory", "file", undefined, "error"]);
    await expect(files.read("no.txt")).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
    await expect(files.read("a")).rejects.toMatchObject({ code: "NOT_A_FILE" });
    await expect(files.write("a", bytes("x"), free)).rejects.toMatchObject({ code: "NOT_A_FILE" });
    expect(await files.usage()).toEqual({ files: 2, bytes: 5 });
  });

  test.each([
    "../outside.txt",
    "a/../../outside.txt",
    "/../outside.txt",
    "..",
    "a\\..\\..\\outside.txt",
    "a\0b",
    "a\nb",
    "x".repeat(256),
    "x".repeat(MAX_FILE_PATH_LENGTH + 1),
    Array.from({ length: MAX_FILE_DEPTH + 1 }, () => "d").join("/"),
    ".cidcast-partial-1",
  ])("the path %j leads nowhere", async path => {
    const works = [
      () => files.read(path),
      () => files.write(path, bytes("x"), free),
      () => files.list(path),
      () => files.exists(path),
    ];
    for (const work of works) await expect(work()).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("links are not followed, whatever stands behind them", async () => {
    mkdirSync(root);
    symlinkSync(join(base, "outside.txt"), join(root, "file"));
    symlinkSync(base, join(root, "directory"));
    symlinkSync(join(base, "nowhere"), join(root, "dangling"));
    linkSync(join(base, "outside.txt"), join(root, "hard"));
    for (const path of ["file", "directory/outside.txt", "dangling"]) {
      await expect(files.read(path)).rejects.toMatchObject({ code: "FORBIDDEN" });
      await expect(files.exists(path)).rejects.toMatchObject({ code: "FORBIDDEN" });
    }
    await expect(files.read("hard")).rejects.toMatchObject({ code: "NOT_A_FILE" });
    await expect(files.list("directory")).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(files.write("directory/new", bytes("x"), free)).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(files.write("file", bytes("x"), free)).rejects.toMatchObject({ code: "NOT_A_FILE" });
    expect((await files.list("")).entries).toEqual([{ name: "hard", type: "file", size: 7 }]);
    expect(readdirSync(base).sort()).toEqual(["outside.txt", "tenant"]);
  });

  test("any text is a path inside or none", () => {
    const character = fc.constantFrom("a", "b", ".", "/", "\\", "~", "\0", "é", " ");
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 40 }), path => {
        let names: string[];
        try {
          names = namesOf(path);
        } catch {
          return;
        }
        expect(join(root, ...names).startsWith(root)).toBe(true);
        expect(names).not.toContain("..");
      }),
    );
  });

  test("size, number and quota end at their limits, and two writes at once cannot share what is left", async () => {
    await expect(files.write("big", new Uint8Array(MAX_FILE_BYTES + 1), free)).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
    await files.write("most", new Uint8Array(MAX_FILE_BYTES), free);
    writeFileSync(join(root, "grown"), new Uint8Array(MAX_FILE_BYTES + 1));
    await expect(files.read("grown")).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    rmSync(join(root, "grown"));
    const quota = (used: number, more: number): void => {
      if (used + more > MAX_FILE_BYTES + 10) throw new CidcastError("LIMIT_REACHED", "full");
    };
    const both = await Promise.allSettled([
      files.write("x", bytes("12345678"), quota),
      files.write("y", bytes("12345678"), quota),
    ]);
    expect(both.map(result => result.status)).toEqual(["fulfilled", "rejected"]);
    for (let n = 0; n < MAX_FILES; n++) writeFileSync(join(root, `n${n}`), "");
    await expect(files.write("z", bytes("1"), free)).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    const { entries, more } = await files.list("");
    expect([entries.length, more]).toEqual([MAX_FILE_ENTRIES, true]);
  });
});

describe("seed tools", () => {
  test("answer as their clients expect, each tenant in a directory of its own", async () => {
    await using s = await startTestMcp();
    const scopes = ["basic", "files", "admin", "api", "web"];
    const [a, b] = [await s.t.tenant("A", scopes), await s.t.tenant("B", scopes)];
    const call = async (who: { token: string; tenantId: string }, name: string, args: object) => {
      const { body } = await s.request("POST", "/api/mcp/rpc", {
        headers: { authorization: `Bearer ${who.token}`, "x-tenant-id": who.tenantId },
        body: { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } },
      });
      return body.result;
    };
    const textOf = async (...args: Parameters<typeof call>) => (await call(...args)).content[0].text;
    expect(await textOf(a, "calculator", { expression: "2 + 2 * 3" })).toBe("8");
    expect(await textOf(a, "current_time", {})).toBe("2026-11-21T00:00:00.000Z");
    expect(await textOf(a, "current_time", { format: "timestamp" })).toBe("1795219200");
    expect(await textOf(a, "current_time", { format: "human" })).toBe("Sat, 21 Nov 2026 00:00:00 GMT");
    expect(JSON.parse(await textOf(a, "system_info", {}))).toMatchObject({ node_version: process.version });
    const write = { operation: "write", path: "test.txt", content: "File content" };
    expect(await textOf(a, "file_operations", write)).toBe("Wrote 12 bytes to test.txt");
    expect(await textOf(a, "file_operations", { operation: "read", path: "test.txt" })).toBe("File content");
    expect(await textOf(a, "file_operations", { operation: "exists", path: "test.txt" })).toBe("true");
    expect(await textOf(b, "file_operations", { operation: "exists", path: "test.txt" })).toBe("false");
    expect(await textOf(b, "file_operations", { operation: "list" })).toBe("[]");
    const escape = await call(b, "file_operations", { operation: "read", path: `../${a.tenantId}/test.txt` });
    expect(escape).toMatchObject({ isError: true });
    expect(await call(a, "secure_api", { endpoint: "user_profile" })).toMatchObject({
      isError: true,
      content: [{ text: "NOT_FOUND: The tenant has no credential api_key for the tool secure_api" }],
    });
  });

  test("a tool's files count against the tenant's storage", async () => {
    await using s = await startTestMcp();
    const { token, tenantId } = await s.t.tenant("A", ["files"]);
    await s.t.tenancy.tenants.setQuotas(tenantId, { storage_bytes: 10 });
    const { body } = await s.request("POST", "/mcp/tools/call", {
      headers: { "x-api-token": token },
      body: { name: "file_operations", args: { operation: "write", path: "a", content: "12345678901" } },
    });
    expect(body).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("LIMIT_REACHED") }],
    });
  });
});
