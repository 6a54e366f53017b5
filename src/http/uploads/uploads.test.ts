import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_PENDING_UPLOADS, MAX_PENDING_UPLOADS_PER_OWNER, UPLOAD_LIFETIME_MS } from "../limits.ts";
import { type Answer, ask, serve, type TestServer } from "../testing/serve.ts";
import { createPendingUploads } from "./pending.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "cidcast-uploads-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const TUS = { "tus-resumable": "1.0.0" };
const open = (more: Parameters<typeof serve>[0] = {}): Promise<TestServer> =>
  serve({ uploadDir: directory, ...more });
const told = (answer: Answer): unknown => [answer.status, answer.json().error.code];

function begin(server: TestServer, length: number | string, headers = {}): Promise<Answer> {
  const metadata = `filename ${Buffer.from("ü.mp4").toString("base64")},filetype ${Buffer.from("video/mp4").toString("base64")}`;
  return ask(server, "/api/v0/uploads", {
    method: "POST",
    headers: { ...TUS, "upload-length": String(length), "upload-metadata": metadata, ...headers },
  });
}

function send(server: TestServer, location: string, offset: number, body: string): Promise<Answer> {
  return ask(server, location, {
    method: "PATCH",
    body,
    headers: {
      ...TUS,
      "content-type": "application/offset+octet-stream",
      "upload-offset": String(offset),
    },
  });
}

describe("a resumable upload", () => {
  test("comes in pieces, over a restart, and is then content with its name and type", async () => {
    let location: string;
    {
      await using server = await open();
      const begun = await begin(server, 11);
      expect(begun.status).toBe(201);
      location = String(begun.headers.location);
      expect(location).toMatch(/^\/api\/v0\/uploads\/[0-9a-f]{16}-[0-9a-f-]{36}$/);
      expect(Date.parse(String(begun.headers["upload-expires"]))).toBeGreaterThan(Date.now());
      expect((await send(server, location, 0, "hello ")).headers["upload-offset"]).toBe("6");
      expect((await ask(server, location)).json()).toMatchObject({ offset: 6, size: 11 });
    }
    await using server = await open();
    const head = await ask(server, location, { method: "HEAD", headers: TUS });
    expect([head.status, head.headers["upload-offset"], head.headers["upload-length"]]).toEqual([
      200,
      "6",
      "11",
    ]);
    expect((await send(server, location, 6, "world")).status).toBe(204);
    const { added } = (await ask(server, location)).json();
    expect(added).toMatchObject({ name: "ü.mp4", size: 11, contentType: "video/mp4" });
    expect((await ask(server, `/ipfs/${added.cid}`)).text).toBe("hello world");
    // The answer is kept for whoever lost it, the bytes are not.
    const again = await ask(server, location, { method: "HEAD", headers: TUS });
    expect(again.headers["upload-offset"]).toBe("11");
    expect((await ask(server, location)).json().added).toEqual(added);
    expect((await readdir(directory)).filter(name => !name.endsWith(".added"))).toEqual([]);
  });

  test("that was whole when the node ended is added at the next start", async () => {
    let location: string;
    {
      await using server = await open();
      location = String((await begin(server, 5)).headers.location);
    }
    // As if the node had been killed between the last byte and the blocks.
    await writeFile(join(directory, location.split("/").at(-1) ?? ""), "whole");
    await using server = await open();
    expect((await ask(server, location)).json().added).toMatchObject({ size: 5 });
    expect(server.content.records.size).toBe(1);
  });

  test("of nothing is content at once", async () => {
    await using server = await open();
    const location = String((await begin(server, 0)).headers.location);
    expect((await ask(server, location)).json().added).toMatchObject({ size: 0 });
  });

  test("can be ended, and expires", async () => {
    await using server = await open();
    const one = String((await begin(server, 5)).headers.location);
    expect((await ask(server, one, { method: "DELETE", headers: TUS })).status).toBe(204);
    expect(told(await ask(server, one))).toEqual([404, "UPLOAD_NOT_FOUND"]);
    const old = String((await begin(server, 5)).headers.location);
    const name = old.split("/").at(-1) ?? "";
    const past = new Date(Date.now() - UPLOAD_LIFETIME_MS - 60_000);
    const record = { id: name, size: 5, offset: 0, creation_date: past.toISOString() };
    await writeFile(join(directory, `${name}.json`), JSON.stringify(record));
    await utimes(join(directory, name), past, past);
    expect(told(await send(server, old, 0, "hello"))).toEqual([410, "UPLOAD_NOT_FOUND"]);
    await using _next = await open();
    expect(await readdir(directory)).toEqual([]);
  });

  test("that does not fit is told why, in the words of this API", async () => {
    await using server = await open();
    const location = String((await begin(server, 5)).headers.location);
    expect(told(await send(server, location, 3, "xx"))).toEqual([409, "CONFLICT"]);
    expect(told(await send(server, location, 0, "longer than five"))).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect(told(await begin(server, 1024 * 1024 + 1))).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect(told(await begin(server, "x"))).toEqual([400, "INVALID_REQUEST"]);
    expect(told(await begin(server, 1, { "tus-resumable": "0.2.0" }))).toEqual([412, "PRECONDITION_FAILED"]);
    const bad = `filename ${Buffer.from("a\u0000b").toString("base64")}`;
    expect(told(await begin(server, 1, { "upload-metadata": bad }))).toEqual([400, "INVALID_REQUEST"]);
    expect(told(await ask(server, "/api/v0/uploads/..%2f..%2fetc"))).toEqual([400, "INVALID_REQUEST"]);
    const deferred = await ask(server, "/api/v0/uploads", {
      method: "POST",
      headers: { ...TUS, "upload-defer-length": "1" },
    });
    expect(told(deferred)).toEqual([400, "INVALID_REQUEST"]);
    await using without = await serve();
    expect(told(await begin(without, 1))).toEqual([503, "FEATURE_DISABLED"]);
  });

  test("is nobody else's", async () => {
    await using server = await open();
    const foreign = `${createHash("sha256").update("tenant_b").digest("hex").slice(0, 16)}-${crypto.randomUUID()}`;
    const record = { id: foreign, size: 5, metadata: { "cidcast-tenant": "tenant_b" } };
    await writeFile(join(directory, foreign), "he");
    await writeFile(join(directory, `${foreign}.json`), JSON.stringify(record));
    const address = `/api/v0/uploads/${foreign}`;
    expect(told(await ask(server, address))).toEqual([404, "UPLOAD_NOT_FOUND"]);
    expect((await ask(server, address, { method: "HEAD", headers: TUS })).status).toBe(404);
    expect(told(await send(server, address, 2, "llo"))).toEqual([404, "UPLOAD_NOT_FOUND"]);
    expect(told(await ask(server, address, { method: "DELETE", headers: TUS }))).toEqual([
      404,
      "UPLOAD_NOT_FOUND",
    ]);
    // Nor can it be said to be somebody else's.
    const metadata = `cidcast-tenant ${Buffer.from("tenant_b").toString("base64")}`;
    const own = String((await begin(server, 1, { "upload-metadata": metadata })).headers.location);
    const head = await ask(server, own, { method: "HEAD", headers: TUS });
    expect(String(head.headers["upload-metadata"] ?? "")).not.toContain("tenant");
  });

  test("tells what is spoken, and is open to pages of configured origins alone", async () => {
    const origin = "https://app.example";
    await using server = await open({ corsOrigins: [origin] });
    const options = await ask(server, "/api/v0/uploads", { method: "OPTIONS" });
    expect(options.headers["tus-extension"]).toBe("creation,creation-with-upload,termination,expiration");
    expect(options.headers["access-control-allow-origin"]).toBeUndefined();
    const preflight = await ask(server, "/api/v0/uploads", {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "PATCH" },
    });
    expect(preflight.headers["access-control-allow-headers"]).toContain("Upload-Offset");
    const answer = await begin(server, 1, { origin });
    expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([201, origin]);
    expect(answer.headers["access-control-expose-headers"]).toContain("Upload-Offset");
    expect(told(await begin(server, 1, { origin: "https://evil.example" }))).toEqual([
      403,
      "ORIGIN_NOT_ALLOWED",
    ]);
  });
});

describe("unfinished uploads", () => {
  const upload = (tenantId: string | undefined, bytes = 1) => ({ tenantId, bytes });

  test("are limited, by caller and in all", () => {
    const pending = createPendingUploads(undefined);
    for (let i = 0; i < MAX_PENDING_UPLOADS_PER_OWNER; i++) pending.add(`a${i}`, upload("a"));
    expect(() => pending.add("a", upload("a"))).toThrow("too many");
    for (let i = pending.count; i < MAX_PENDING_UPLOADS; i++) pending.add(`x${i}`, upload(`tenant${i}`));
    expect(() => pending.add("b", upload("b"))).toThrow("too many");
    pending.remove("a0");
    pending.add("b", upload("b"));
    expect(pending.count).toBe(MAX_PENDING_UPLOADS);
  });

  test("of a tenant are together no more than it may keep", () => {
    const asked: unknown[] = [];
    const pending = createPendingUploads({
      checkStorage: (...given: unknown[]) => asked.push(given),
    } as unknown as Parameters<typeof createPendingUploads>[0]);
    pending.add("1", upload("a", 10));
    pending.add("2", upload("a", 5));
    expect(asked).toEqual([
      ["a", 0, 10],
      ["a", 10, 5],
    ]);
  });
});
