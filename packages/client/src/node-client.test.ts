import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNodeClient, mediaOf, type NodeClient } from "./node-client.ts";

describe("createNodeClient", () => {
  let server: Server;
  let client: NodeClient;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    server = createServer((request, response) => answer(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    client = createNodeClient({
      node: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      token: "secret",
    });
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it("lists with search, limit and offset, and carries the token", async () => {
    let seen: IncomingMessage | undefined;
    answer = (request, response) => {
      seen = request;
      const record = {
        cid: "bafy",
        name: "a b",
        size: 1,
        contentType: "video/mp4",
        addedAtMs: 2,
        more: true,
      };
      response.end(JSON.stringify({ records: [record], total: 1 }));
    };
    const { records, total } = await client.list({ search: "a b", limit: 5 });
    expect(total).toBe(1);
    expect(records[0]).toMatchObject({ cid: "bafy", name: "a b" });
    expect(seen?.url).toBe("/api/v0/content?search=a+b&limit=5");
    expect(seen?.headers.authorization).toBe("Bearer secret");
  });

  it("adds a file as it is", async () => {
    answer = (request, response) => {
      let size = 0;
      request.on("data", (chunk: Buffer) => {
        size += chunk.length;
      });
      request.on("end", () =>
        response.end(
          JSON.stringify({ cid: "bafy", name: "x", size, contentType: request.headers["content-type"] }),
        ),
      );
    };
    const added = await client.add(new Blob([new Uint8Array(70_000)], { type: "video/mp4" }), { name: "x" });
    expect(added).toMatchObject({ size: 70_000, contentType: "video/mp4" });
  });

  it("throws the node's error by its code", async () => {
    answer = (_request, response) => {
      response.writeHead(404);
      response.end(JSON.stringify({ error: { code: "CONTENT_NOT_FOUND", message: "no record of bafy" } }));
    };
    await expect(client.record("bafy")).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
      message: "no record of bafy",
    });
  });

  it.each([
    [502, "<html>Bad gateway</html>", "NODE_UNREACHABLE"],
    [500, "{}", "INTERNAL"],
    [200, "not JSON", "INTERNAL"],
    [200, '{"records":[{"cid":5}],"total":1}', "INTERNAL"],
  ])("answers %i with %s by %s", async (status, body, code) => {
    answer = (_request, response) => response.writeHead(status).end(body);
    await expect(client.list()).rejects.toMatchObject({ code });
  });

  it("tells a node that is away from a request that was ended", async () => {
    answer = (_request, response) => void response.destroy();
    await expect(client.status()).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
    await expect(client.status({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("mediaOf", () => {
  it("reads a probe's result, and nothing out of anything else", () => {
    const media = { container: "mp4", durationSeconds: 3, playable: true, notes: [], tracks: [] };
    expect(mediaOf({ media })).toMatchObject({ container: "mp4", durationSeconds: 3 });
    expect(mediaOf({ media: { container: 5 } })).toBeUndefined();
    expect(mediaOf({})).toBeUndefined();
  });
});
