import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serve } from "../../http/testing/serve.ts";
import { EXIT } from "../exit-codes.ts";
import { run } from "../testing/run.ts";
import { createHttpApi } from "./http-api.ts";
import { createHttpClient } from "./http-client.ts";

const TOKEN = "0123456789abcdef-token";
let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "cidcast-api-"));
});
afterAll(async () => rm(cwd, { recursive: true, force: true }));

describe("over HTTP", () => {
  test("names chosen by others never lead out of the place they are saved to", async () => {
    await using server = await serve();
    const file = server.content.putFile("evil");
    for (const name of ["../evil", "..", "/etc/evil", "a/b", "."]) {
      const cid = server.content.put({ type: "directory", entries: new Map([[name, file]]) });
      const ended = await run(["get", cid, "-o", "out", "--force", "--api", server.url], { cwd });
      expect([name, ended.code, ended.stderr]).toEqual([
        name,
        EXIT.failure,
        expect.stringContaining("[CORRUPT_DAG]"),
      ]);
    }
    expect(await readdir(cwd, { recursive: true })).toEqual(["out"]);
  });

  test("directories without end are given up", async () => {
    await using server = await serve();
    let cid = server.content.putFile("bottom");
    for (let i = 0; i < 70; i++)
      cid = server.content.put({ type: "directory", entries: new Map([["d", cid]]) });
    const ended = await run(["get", cid, "-o", "deep", "--api", server.url], { cwd });
    expect([ended.code, ended.stderr]).toEqual([EXIT.failure, expect.stringContaining("[UNSUPPORTED_DAG]")]);
    await rm(join(cwd, "deep"), { recursive: true });
  });

  test("names on a terminal cannot write control sequences", async () => {
    await using server = await serve();
    server.content.putFile("x", { name: "a\u001b[2Jb\nc" });
    const { stdout } = await run(["ls", "--api", server.url], { cwd });
    expect(stdout).toContain("a\u{fffd}[2Jb c");
    expect(stdout).not.toContain("\u001b");
  });

  test("every page of a long directory and list is read", async () => {
    await using server = await serve();
    const file = server.content.putFile("x");
    const names = Array.from({ length: 2500 }, (_, i) => `f${i}`);
    const cid = server.content.put({ type: "directory", entries: new Map(names.map(name => [name, file])) });
    for (const name of names) server.content.putFile(name, { name });
    const api = createHttpApi(createHttpClient({ url: server.url, token: undefined }));
    expect(await namesOf(api.ls(cid))).toEqual(names);
    expect(await namesOf(api.list(undefined))).toEqual(names);
  });

  test("a token is shown where one is needed", async () => {
    await using server = await serve({ token: TOKEN });
    const cid = server.content.putFile("x");
    const env = { CIDCAST_API: server.url };
    expect((await run(["ls"], { cwd, env })).code).toBe(EXIT.notAllowed);
    expect((await run(["ls", "--token", TOKEN], { cwd, env })).code).toBe(EXIT.ok);
    const play = await run(["play", cid, "--open"], { cwd, env: { ...env, CIDCAST_TOKEN: TOKEN } });
    expect(play.opened).toEqual([`${server.url}/play/${cid}?token=${TOKEN}`]);
  });

  test("an upload that is refused on the way says why", async () => {
    await using server = await serve({ maxUploadBytes: 1000, limits: { lingerMs: 200 } });
    const stdin = "x".repeat(4 * 1024 * 1024);
    const ended = await run(["add", "-", "--api", server.url], { cwd, stdin });
    expect([ended.code, ended.stderr]).toEqual([
      EXIT.failure,
      expect.stringContaining("[PAYLOAD_TOO_LARGE]"),
    ]);
  });

  test("nobody there, and somebody else there, are told apart from answers", async () => {
    const nobody = await run(["ls", "--api", "http://127.0.0.1:1"], { cwd });
    expect([nobody.code, nobody.stderr]).toEqual([
      EXIT.unavailable,
      expect.stringContaining("[NODE_UNREACHABLE]"),
    ]);
    expect((await run(["ls", "--api", "localhost"], { cwd })).stderr).toContain("[INVALID_CONFIG]");
    const other = createServer((_request, response) => response.writeHead(404).end("<h1>hello</h1>"));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address() as { port: number };
    const somebody = await run(["ls", "--api", `http://127.0.0.1:${address.port}`], { cwd });
    expect(somebody.stderr).toContain("not a cidcast node");
    other.close();
  });

  test("an answer that breaks off is a failure and not a short file", async () => {
    const other = createServer((request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => request.destroy());
    });
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address() as { port: number };
    const ended = await run(["cat", "x", "--api", `http://127.0.0.1:${address.port}`], { cwd });
    expect([ended.code, ended.stdout]).toEqual([EXIT.unavailable, "half"]);
    other.close();
  });
});

async function namesOf(
  list: AsyncIterable<{ readonly name?: string | undefined }>,
): Promise<(string | undefined)[]> {
  const names: (string | undefined)[] = [];
  for await (const { name } of list) names.push(name);
  return names;
}
