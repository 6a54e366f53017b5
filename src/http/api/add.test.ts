import { once } from "node:events";
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { MAX_UPLOAD_FIELDS } from "../limits.ts";
import { ask, serve, type TestServer } from "../testing/serve.ts";

const post = { method: "POST" } as const;

function form(...files: [name: string, text: string][]): FormData {
  const data = new FormData();
  data.append("note", "not a file");
  for (const [name, text] of files) data.append("file", new File([text], name, { type: "text/plain" }));
  return data;
}

async function treeOf(server: TestServer, cid: string, prefix = ""): Promise<string[]> {
  const { entries } = (await ask(server, `/api/v0/ls/${cid}`)).json();
  const below: string[][] = await Promise.all(
    entries.map(async (entry: { name: string; cid: string; type: string }) =>
      entry.type === "file"
        ? [`${prefix}${entry.name}`]
        : treeOf(server, entry.cid, `${prefix}${entry.name}/`),
    ),
  );
  return below.flat().sort();
}

describe("add", () => {
  test("takes the body as it is, whatever its type", async () => {
    await using server = await serve();
    for (const type of ["video/mp4", "application/json", "application/x-www-form-urlencoded", "text/plain"]) {
      const answer = await ask(server, "/api/v0/add?name=clip.mp4", {
        ...post,
        body: '{"not":"parsed',
        headers: { "content-type": type },
      });
      expect([type, answer.status]).toEqual([type, 200]);
      expect(answer.json()).toMatchObject({ name: "clip.mp4", size: 14 });
      expect((await ask(server, `/ipfs/${answer.json().cid}`)).text).toBe('{"not":"parsed');
    }
  });

  test("takes a body without a type, and an empty one", async () => {
    await using server = await serve();
    expect((await ask(server, "/api/v0/add", { ...post, body: "x" })).json()).toMatchObject({ size: 1 });
    expect((await ask(server, "/api/v0/add", { ...post, body: "" })).json()).toMatchObject({ size: 0 });
  });

  test("pins unless told otherwise, under the name given", async () => {
    await using server = await serve();
    await ask(server, "/api/v0/add?pin=0", { ...post, body: "a" });
    expect(server.content.pinned.size).toBe(0);
    await ask(server, "/api/v0/add?pin-name=keep", { ...post, body: "b" });
    expect([...server.content.pinned.values()].map(pin => pin.name)).toEqual(["keep"]);
  });

  test("takes one file of a form, with its name and type", async () => {
    await using server = await serve();
    const answer = await ask(server, "/api/v0/add", { ...post, body: form(["ü.txt", "hello"]) });
    expect(answer.json()).toEqual({
      cid: expect.any(String),
      name: "ü.txt",
      size: 5,
      contentType: "text/plain",
    });
  });

  test("takes several files of a form, each on its own", async () => {
    await using server = await serve();
    const answer = (
      await ask(server, "/api/v0/add", { ...post, body: form(["a", "1"], ["b", "22"]) })
    ).json();
    expect(answer.name).toBe("a");
    expect(answer.files.map((file: { name: string; size: number }) => [file.name, file.size])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
  });

  test("takes a folder as browsers send it", async () => {
    await using server = await serve();
    const body = form(["film/a.mp4", "1"], ["film/extras/b.mp4", "22"]);
    const answer = (await ask(server, "/api/v0/add", { ...post, body })).json();
    expect(answer).toMatchObject({ name: "film", size: 3, contentType: "inode/directory" });
    expect(await treeOf(server, answer.cid)).toEqual(["a.mp4", "extras/b.mp4"]);
  });

  test("takes a directory of exactly the paths given", async () => {
    await using server = await serve();
    const body = form(["a.mp4", "1"], ["x/b.mp4", "22"]);
    const answer = (await ask(server, "/api/v0/add?directory=1&name=top", { ...post, body })).json();
    expect(answer.name).toBe("top");
    expect(await treeOf(server, answer.cid)).toEqual(["a.mp4", "x/b.mp4"]);
  });

  test.each([
    "film/../../etc/passwd",
    "film//x",
    "film/./x",
    "/film/x",
    "film/",
    "other/x",
    `film/${"x".repeat(1100)}`,
  ])("refuses the path %s in a folder", async path => {
    await using server = await serve();
    const answer = await ask(server, "/api/v0/add", { ...post, body: form(["film/ok", "1"], [path, "2"]) });
    expect([answer.status, answer.json().error.code]).toEqual([400, "INVALID_REQUEST"]);
    expect(server.content.records.size).toBe(0);
  });

  test("refuses a form without files, one that breaks off, and one without a boundary", async () => {
    await using server = await serve();
    expect((await ask(server, "/api/v0/add", { ...post, body: form() })).json().error.code).toBe(
      "INVALID_REQUEST",
    );
    const type = { "content-type": "multipart/form-data; boundary=b" };
    const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf';
    const broken = await ask(server, "/api/v0/add", { ...post, headers: type, body });
    expect(broken.status).toBe(400);
    expect(server.content.records.size).toBe(0);
    const headers = { "content-type": "multipart/form-data" };
    expect((await ask(server, "/api/v0/add", { ...post, headers, body })).status).toBe(400);
  });
});

describe("limits of an upload", () => {
  test("a declared size beyond the limit is refused before anything is read", async () => {
    await using server = await serve({ maxUploadBytes: 10, limits: { lingerMs: 20 } });
    const answer = await ask(server, "/api/v0/add", { ...post, body: "x".repeat(11) });
    expect([answer.status, answer.json().error.details]).toEqual([413, { maxBytes: 10 }]);
    expect(answer.headers.connection).toBe("close");
  });

  test("an undeclared size beyond the limit is refused on the way", async () => {
    await using server = await serve({ maxUploadBytes: 10, limits: { lingerMs: 20 } });
    const answer = await chunked(server, ["x".repeat(6), "x".repeat(6)]);
    expect(answer).toMatchObject({ status: 413, code: "PAYLOAD_TOO_LARGE" });
    expect(server.content.records.size).toBe(0);
  });

  test("the files of a form count together", async () => {
    await using server = await serve({ maxUploadBytes: 600, limits: { lingerMs: 20 } });
    const one = form(["a", "x".repeat(601)]);
    const big = await chunked(
      server,
      [await new Response(one).bytes()],
      new Response(one).headers.get("content-type")!,
    );
    expect(big.status).toBe(413);
    const data = new Response(form(["a", "x".repeat(400)], ["b", "x".repeat(400)]));
    const two = await chunked(server, [await data.bytes()], data.headers.get("content-type")!);
    expect(two.status).toBe(413);
  });

  test("files beyond the number are refused", async () => {
    await using server = await serve({ limits: { maxUploadFiles: 2, lingerMs: 20 } });
    const answer = await ask(server, "/api/v0/add?directory=1", {
      ...post,
      body: form(["a", "1"], ["b", "2"], ["c", "3"]),
    });
    expect([answer.status, answer.json().error.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect(server.content.records.size).toBe(0);
  });

  test("fields beyond the number are refused", async () => {
    await using server = await serve({ limits: { lingerMs: 20 } });
    const data = new FormData();
    for (let i = 0; i <= MAX_UPLOAD_FIELDS; i++) data.append(`field${i}`, "x");
    data.append("file", new File(["x"], "a"));
    const answer = await ask(server, "/api/v0/add", { ...post, body: data });
    expect([answer.status, answer.json().error.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  });

  test("uploads beyond the number are told to come again", async () => {
    await using server = await serve({ limits: { maxConcurrentUploads: 1, lingerMs: 20 } });
    const first = request({ host: "127.0.0.1", port: server.port, path: "/api/v0/add", ...post });
    const done = once(first, "response");
    first.write("half");
    while (!(await server.metricsText()).includes("cidcast_http_requests_in_flight 1")) {
      await new Promise(resolve => setImmediate(resolve));
    }
    const second = await ask(server, "/api/v0/add", { ...post, body: "x" });
    expect([second.status, second.json().error.code, second.headers["retry-after"]]).toEqual([
      503,
      "BUSY",
      "5",
    ]);
    first.end();
    const [response] = await done;
    response.resume();
    expect(response.statusCode).toBe(200);
    expect((await ask(server, "/api/v0/add", { ...post, body: "x" })).status).toBe(200);
  });

  test.each(["application/octet-stream", "multipart/form-data; boundary=b"])(
    "a client that goes away in the middle of %s leaves nothing behind",
    async type => {
      await using server = await serve();
      const { promise: arrived, resolve: onChunk } = Promise.withResolvers<void>();
      server.content.onChunk = onChunk;
      const { promise: failed, resolve } = Promise.withResolvers<unknown>();
      server.content.onAddFailed = resolve;
      const client = request({
        host: "127.0.0.1",
        port: server.port,
        path: "/api/v0/add",
        ...post,
        headers: { "content-type": type },
      });
      client.on("error", () => undefined);
      client.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf');
      await arrived;
      client.destroy();
      expect(await failed).toMatchObject({ code: "ABORTED" });
      expect(server.content.records.size).toBe(0);
    },
  );
});

/** Posts a body of undeclared size; resolves with the answer, which may come before the body is out. */
async function chunked(
  server: TestServer,
  chunks: readonly (string | Uint8Array)[],
  type = "application/octet-stream",
): Promise<{ status: number | undefined; code: string }> {
  const client = request({
    host: "127.0.0.1",
    port: server.port,
    path: "/api/v0/add",
    ...post,
    headers: { "content-type": type, "transfer-encoding": "chunked" },
  });
  client.on("error", () => undefined);
  for (const chunk of chunks) client.write(chunk);
  const [response] = await once(client, "response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  client.destroy();
  return { status: response.statusCode, code: JSON.parse(text).error?.code };
}
