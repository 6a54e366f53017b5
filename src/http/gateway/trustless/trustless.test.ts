import { randomBytes } from "node:crypto";
import { CarReader } from "@ipld/car";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestBed, entriesOf, pieces } from "../../../content/verbs/test-support.ts";
import type { ContentService } from "../../../content/index.ts";
import { ask, serve, type TestServer } from "../../testing/serve.ts";

const CAR = "application/vnd.ipld.car";
const RAW = "application/vnd.ipld.raw";
/** A CID of which nobody has the block. */
const ELSEWHERE = "QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN";

let bed: TestBed;
let content: ContentService;
let server: TestServer;
let file: string;
let site: string;
let leaf: Uint8Array;

beforeAll(async () => {
  bed = new TestBed();
  ({ content } = await bed.start());
  server = await serve({ maxUploadBytes: 64 * 1024 * 1024 }, { content });
  file = (await content.add(pieces(randomBytes(3_000_000), 100_000))).cid;
  site = (await content.addDirectory(entriesOf({ "sub/a.txt": "aaa", "b.txt": "bbb" }))).cid;
  leaf = Buffer.from("aaa");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await bed[Symbol.asyncDispose]();
});

async function carOf(path: string, headers: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const answer = await ask(server, path, { headers });
  expect(answer.status).toBe(200);
  const cids: string[] = [];
  for await (const cid of (await CarReader.fromBytes(answer.body)).cids()) cids.push(cid.toString());
  return cids;
}

describe("a block", () => {
  test.each([
    ["?format=raw", {}],
    ["", { accept: RAW }],
    ["?format=raw", { accept: CAR }],
  ] as const)("is answered to %s %o, with what verifies the path", async (query, headers) => {
    const answer = await ask(server, `/ipfs/${site}/sub/a.txt${query}`, { headers });
    const { roots, end } = await content.path(`${site}/sub/a.txt`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(leaf);
    expect(answer.headers).toMatchObject({
      "content-type": RAW,
      "content-length": "3",
      "content-disposition": expect.stringMatching(/^attachment; filename="bafk.*\.bin"/) as string,
      "x-content-type-options": "nosniff",
      "cache-control": "public, max-age=29030400, immutable",
      "x-ipfs-path": `/ipfs/${site}/sub/a.txt`,
      "x-ipfs-roots": roots.join(","),
      etag: `"${end.toString()}.raw"`,
      "server-timing": expect.stringMatching(/^find;desc="local";dur=\d/) as string,
      vary: "Accept",
    });
  });

  test("is answered in part, named as asked, and not again to who has it", async () => {
    const path = `/ipfs/${site}/b.txt?format=raw&filename=x.bin`;
    const part = await ask(server, path, { headers: { range: "bytes=1-1" } });
    expect([part.status, part.text, part.headers["content-range"]]).toEqual([206, "b", "bytes 1-1/3"]);
    expect(part.headers["content-disposition"]).toContain('filename="x.bin"');
    const again = await ask(server, path, { headers: { "if-none-match": part.headers.etag ?? "" } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    expect((await ask(server, path, { headers: { range: "bytes=9-" } })).status).toBe(416);
    const head = await ask(server, path, { method: "HEAD" });
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "3", 0]);
  });
});

describe("a CAR", () => {
  test("is depth first, whole, and says so", async () => {
    const answer = await ask(server, `/ipfs/${file}?format=car`);
    expect(answer.headers).toMatchObject({
      "content-type": `${CAR}; version=1; order=dfs; dups=n`,
      "content-disposition": expect.stringMatching(
        new RegExp(`^attachment; filename="${file}.car"`),
      ) as string,
      "accept-ranges": "none",
      etag: expect.stringMatching(/^W\//) as string,
      "x-ipfs-roots": file,
    });
    const cids = await carOf(`/ipfs/${file}?format=car`);
    expect(cids[0]).toBe(file);
    const stat = await content.stat(file);
    expect(cids).toHaveLength(stat.localBlocks);
  });

  test("holds what the scope and the byte range ask for", async () => {
    const { roots } = await content.path(`${site}/sub/a.txt`);
    const path = `/ipfs/${site}/sub`;
    expect(await carOf(`${path}?format=car&dag-scope=block`)).toEqual(roots.slice(0, 2).map(String));
    expect(await carOf(`${path}?dag-scope=entity`, { accept: CAR })).toEqual(roots.slice(0, 2).map(String));
    expect(await carOf(`${path}?format=car&dag-scope=all`)).toEqual(roots.map(String));
    expect(await carOf(`/ipfs/${file}?format=car&entity-bytes=0:10`)).toHaveLength(2);
    expect(await carOf(`/ipfs/${file}?format=car&entity-bytes=-10:*`)).toHaveLength(2);
  });

  test("repeats blocks where asked; the query goes before the header", async () => {
    const zeros = (await content.add(pieces(new Uint8Array(3 * 1024 * 1024), 1024 * 1024))).cid;
    const many = await carOf(`/ipfs/${zeros}?format=car&car-dups=y`, { accept: `${CAR}; dups=n` });
    expect(many.length).toBeGreaterThan(2);
    const once = await ask(server, `/ipfs/${zeros}`, {
      headers: { accept: `text/html, ${CAR};order=unk;dups=n` },
    });
    expect(once.headers["content-type"]).toBe(`${CAR}; version=1; order=dfs; dups=n`);
    expect(await carOf(`/ipfs/${zeros}`, { accept: CAR })).toHaveLength(2);
  });

  test("has a tag per selection, and is not sent again to who has it", async () => {
    const tag = async (query: string): Promise<string | undefined> =>
      (await ask(server, `/ipfs/${file}?format=car${query}`, { method: "HEAD" })).headers.etag;
    const tags = await Promise.all(
      ["", "&car-dups=y", "&dag-scope=block", "&entity-bytes=0:1", "&entity-bytes=0:2"].map(tag),
    );
    expect(new Set(tags).size).toBe(tags.length);
    const again = await ask(server, `/ipfs/${file}?format=car`, {
      headers: { "if-none-match": tags[0] ?? "" },
    });
    expect([again.status, again.body.length]).toEqual([304, 0]);
  });

  test.each([
    "format=tar",
    "format=car&dag-scope=some",
    "format=car&entity-bytes=5",
    "format=car&car-version=2",
  ])("%s is refused", async query => {
    const answer = await ask(server, `/ipfs/${file}?${query}`);
    expect([answer.status, answer.json().error.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  test("of what is nowhere is an error and not half an answer", async () => {
    expect((await ask(server, `/ipfs/${site}/nope?format=car`)).status).toBe(404);
    expect((await ask(server, `/ipfs/${ELSEWHERE}?format=car`)).json().error.code).toBe("CONTENT_NOT_FOUND");
    expect((await ask(server, `/ipfs/${ELSEWHERE}?format=raw`)).json().error.code).toBe("CONTENT_NOT_FOUND");
  });

  test("that breaks in the middle cuts the connection", async () => {
    const broken = (await content.add(pieces(randomBytes(2_000_000), 100_000), { pin: false })).cid;
    const last = (await carOf(`/ipfs/${broken}?format=car`)).at(-1) ?? "";
    const { end } = await content.path(last);
    await content.blocks.delete(end);
    await expect(ask(server, `/ipfs/${broken}?format=car`)).rejects.toMatchObject({
      code: "ECONNRESET",
    });
  });
});

test("only-if-cached asks nobody", async () => {
  const headers = { "cache-control": "only-if-cached" };
  expect((await ask(server, `/ipfs/${site}/sub/a.txt`, { headers })).status).toBe(200);
  expect((await ask(server, `/ipfs/${ELSEWHERE}`, { headers, method: "HEAD" })).status).toBe(412);
});

test("a CAR that is uploaded is content, pinned as told", async () => {
  await using other = new TestBed();
  const node = await other.start();
  await using receiver = await serve({ maxUploadBytes: 64 * 1024 * 1024 }, { content: node.content });
  const { body } = await ask(server, `/ipfs/${site}?format=car`);
  const answer = await ask(receiver, "/api/v0/car?pin-name=site", { method: "POST", body });
  expect(answer.json()).toMatchObject({ roots: [site], blocks: 4 });
  expect(await node.content.pins()).toMatchObject([{ cid: site, name: "site" }]);
  expect((await ask(receiver, `/ipfs/${site}/sub/a.txt`)).text).toBe("aaa");
  const bad = await ask(receiver, "/api/v0/car", { method: "POST", body: "no CAR" });
  expect([bad.status, bad.json().error.code]).toEqual([400, "INVALID_CAR"]);
});
