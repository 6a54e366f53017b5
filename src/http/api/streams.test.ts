import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, serve, type TestServer } from "../testing/serve.ts";

let server: TestServer;
let cid: string;
const bytes = Buffer.from(Array.from({ length: 150_000 }, (_, i) => i % 251));

beforeAll(async () => {
  server = await serve({ limits: { findTimeoutMs: 100 } });
  cid = server.content.putFile(bytes, { name: "clip.mp4", contentType: "video/mp4" });
});
afterAll(async () => server[Symbol.asyncDispose]());

describe("byte streams under the names of this family", () => {
  test.each(["", "/ipfs/", "ipfs/", "ipfs://"])(
    "a file is read as %s<cid>, with what else such clients send",
    async prefix => {
      const path = encodeURIComponent(`${prefix}${cid}`);
      const answer = await ask(
        server,
        `/api/v0/stream?path=${path}&chunk_size=1048576&cache=true&timeout=30`,
      );
      expect([answer.status, answer.headers["content-type"]]).toEqual([200, "video/mp4"]);
      expect(answer.body.equals(bytes)).toBe(true);
    },
  );

  test.each([
    ["start_byte=10&end_byte=19", 10, 20],
    ["start_byte=149990", 149_990, 150_000],
    ["end_byte=4", 0, 5],
  ])("media is read in part: %s", async (query, start, end) => {
    const answer = await ask(server, `/api/v0/stream/media?path=${cid}&${query}&mime_type=video/webm`);
    expect(answer.status).toBe(206);
    expect(answer.headers).toMatchObject({
      "content-range": `bytes ${start}-${end - 1}/150000`,
      "accept-ranges": "bytes",
      "content-type": "video/webm",
    });
    expect(answer.body.equals(bytes.subarray(start, end))).toBe(true);
  });

  test("media obeys a Range header, and is whole without any", async () => {
    const part = await ask(server, `/api/v0/stream/media?path=${cid}`, { headers: { range: "bytes=5-6" } });
    expect([part.status, part.body.length]).toEqual([206, 2]);
    const whole = await ask(server, `/api/v0/stream/media?path=${cid}`);
    expect([whole.status, whole.body.length]).toEqual([200, 150_000]);
    const beyond = await ask(server, `/api/v0/stream/media?path=${cid}&start_byte=999999`);
    expect(beyond.status).toBe(416);
  });

  test("what is missing or wrong is told", async () => {
    const none = await ask(server, "/api/v0/stream");
    expect([none.status, none.json().error.message]).toEqual([400, "query.path: Path parameter is required"]);
    expect((await ask(server, "/api/v0/stream?path=nonsense")).json().error.code).toBe("INVALID_CID");
    const directory = server.content.put({ type: "directory", entries: new Map() });
    expect((await ask(server, `/api/v0/stream?path=${directory}`)).json().error.code).toBe("NOT_A_FILE");
    const evil = encodeURIComponent("text/html\r\nx: y");
    expect((await ask(server, `/api/v0/stream?path=${cid}&mime_type=${evil}`)).status).toBe(400);
  });

  test("a form is added, and answered as such clients read it", async () => {
    const form = new FormData();
    form.append("file", new Blob(["hello"]), "hello.txt");
    const answer = await ask(server, "/api/v0/upload/stream?chunk_size=65536&timeout=30", {
      method: "POST",
      body: form,
    });
    expect(answer.json()).toMatchObject({
      success: true,
      operation: "add_streaming",
      size: 5,
      name: "hello.txt",
      cid: expect.any(String) as string,
      timestamp: expect.any(Number) as number,
    });
  });

  test("events bring a file in pieces", async () => {
    const answer = await ask(server, `/sse/stream/${cid}`);
    expect(answer.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    const events = answer.text
      .split("\n\n")
      .filter(text => text !== "")
      .map(text => {
        const [, name = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(text) ?? [];
        return { name, data: JSON.parse(data) as { data?: string; bytes_sent?: number } };
      });
    expect(events[0]).toMatchObject({ name: "metadata", data: { content_length: 150_000, path: cid } });
    const chunks = events
      .filter(({ name }) => name === "chunk")
      .map(({ data }) => Buffer.from(data.data ?? "", "base64"));
    expect(chunks.every(chunk => chunk.length <= 65_536)).toBe(true);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(events.at(-1)).toMatchObject({ name: "complete", data: { bytes_sent: 150_000 } });
    while (server.content.openFiles > 0) await new Promise(resolve => setImmediate(resolve));
  });
});
