import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CidcastError } from "../../core/index.ts";
import type { Media } from "../../media/index.ts";
import type { PeerControl } from "../types.ts";
import { ask, serve, TEST_STATUS } from "../testing/serve.ts";

const json = { "content-type": "application/json" };
const peer: PeerControl = {
  peerId: "12D3Koo",
  addresses: () => ["/ip4/127.0.0.1/tcp/1/p2p/12D3Koo"],
  peers: () => [],
  connect: async address => {
    if (address === "/bad") throw new CidcastError("PEER_UNREACHABLE", "no answer");
    return { peerId: "12D3KooOther" };
  },
};

test("the node's id tells whether others can dial it, and of peers what is known", async () => {
  const reachability = {
    state: "relayed",
    nat: "endpoint-dependent",
    observed: ["/ip4/5.0.2.2/tcp/1"],
    relays: [{ relay: "/ip4/5.0.1.2/tcp/1", state: "reserved", reason: undefined }],
  } as const;
  const reputation = { score: 0.9, success: 1, bytesVerified: 10, badBlocks: 0, served: 1 };
  const known = {
    peerId: "12D3KooOther",
    addresses: ["/ip4/1"],
    direction: "outbound" as const,
    connectedAtMs: 1,
    relayed: true,
    reputation,
  };
  await using server = await serve(
    {},
    { peer: { ...peer, peers: () => [known], reachability: () => reachability } },
  );
  expect((await ask(server, "/api/v0/id")).json()).toMatchObject({
    peerId: "12D3Koo",
    reachability: { state: "relayed", nat: "endpoint-dependent", relays: [{ state: "reserved" }] },
  });
  expect((await ask(server, "/api/v0/peers")).json()).toEqual({ peers: [known] });
});

describe("content", () => {
  test("is listed by pages and searched, and one record is shown", async () => {
    await using server = await serve();
    const cid = server.content.putFile("a", { name: "alpha.mp4", contentType: "video/mp4" });
    server.content.putFile("b", { name: "beta.mp4" });
    const all = (await ask(server, "/api/v0/content?limit=1&offset=1")).json();
    expect([all.total, all.records.length, all.records[0].name]).toEqual([2, 1, "beta.mp4"]);
    const found = (await ask(server, "/api/v0/content?search=alp")).json();
    expect(found).toEqual({
      total: 1,
      records: [{ cid, name: "alpha.mp4", size: 1, contentType: "video/mp4", addedAtMs: 1 }],
    });
    expect((await ask(server, `/api/v0/content/${cid}`)).json()).toEqual(found.records[0]);
  });

  test("that was not added is told apart from what is no CID", async () => {
    await using server = await serve();
    const cid = server.content.putFile("x");
    const one = await ask(server, `/api/v0/content/${cid}`);
    expect([one.status, one.json().error.code]).toEqual([404, "CONTENT_NOT_FOUND"]);
    expect((await ask(server, "/api/v0/content/nonsense")).json().error.code).toBe("INVALID_CID");
  });

  test("is removed, listed, described, read and pinned", async () => {
    await using server = await serve();
    const cid = server.content.putFile("hello", { name: "x" });
    const dir = server.content.put({ type: "directory", entries: new Map([["x", cid]]) });
    expect((await ask(server, `/api/v0/cat/${dir}/x`, { headers: { range: "bytes=1-2" } })).text).toBe("el");
    expect((await ask(server, `/api/v0/cat/${dir}`)).json().error.code).toBe("NOT_A_FILE");
    expect((await ask(server, `/api/v0/ls/${dir}`)).json()).toEqual({
      cid: dir,
      truncated: false,
      entries: [{ name: "x", cid, type: "file", size: 5 }],
    });
    expect((await ask(server, `/api/v0/ls/${cid}`)).json().error.code).toBe("NOT_A_DIRECTORY");
    expect((await ask(server, `/api/v0/stat/${dir}/x`)).json()).toMatchObject({ cid, type: "file", size: 5 });
    const pin = await ask(server, `/api/v0/pin/${cid}?name=keep`, { method: "POST" });
    expect(pin.json()).toEqual({ cid, name: "keep", pinnedAtMs: 1 });
    expect((await ask(server, "/api/v0/pins")).json().pins).toEqual([pin.json()]);
    expect((await ask(server, `/api/v0/pin/${cid}`, { method: "DELETE" })).json().error.code).toBe(
      "PIN_NOT_FOUND",
    );
    expect((await ask(server, `/api/v0/pin/${cid}?name=keep`, { method: "DELETE" })).json()).toEqual({
      ok: true,
    });
    expect((await ask(server, `/api/v0/content/${cid}`, { method: "DELETE" })).json()).toEqual({ ok: true });
    expect((await ask(server, "/api/v0/gc", { method: "POST" })).json()).toEqual({
      removedBlocks: 0,
      freedBytes: 0,
    });
  });
});

describe("node", () => {
  test("tells who it is and how it is", async () => {
    await using server = await serve({}, { peer });
    expect((await ask(server, "/api/v0/id")).json()).toEqual({
      peerId: "12D3Koo",
      addresses: peer.addresses(),
      agent: "cidcast/0.0.0-test",
    });
    expect((await ask(server, "/api/v0/version")).json()).toMatchObject({
      name: "cidcast",
      version: "0.0.0-test",
    });
    expect((await ask(server, "/api/v0/status")).json()).toEqual(TEST_STATUS);
    expect((await ask(server, "/", { headers: { accept: "application/json" } })).json()).toEqual(TEST_STATUS);
    expect((await ask(server, "/metrics")).text).toContain("cidcast_http_requests_total");
  });

  test("answers HEAD wherever it answers GET", async () => {
    await using server = await serve();
    for (const path of ["/healthz", "/api/v0/version", "/api/docs/json"]) {
      const [get, head] = await Promise.all([ask(server, path), ask(server, path, { method: "HEAD" })]);
      expect([head.status, head.body.length]).toEqual([200, 0]);
      expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
    }
  });

  test("is ready with optional parts off, and says which; not while a required one is", async () => {
    await using server = await serve();
    const ready = await ask(server, "/readyz");
    expect([ready.status, ready.json()]).toEqual([200, { ready: true, parts: TEST_STATUS.parts }]);
    const parts = [{ name: "content", state: "failed" as const, reason: "disk", required: true }];
    await using broken = await serve({}, { status: () => ({ ...TEST_STATUS, parts }) });
    const answer = await ask(broken, "/readyz");
    expect([answer.status, answer.json()]).toEqual([503, { ready: false, parts }]);
  });

  test("dials peers, and says when libp2p is off", async () => {
    await using server = await serve({}, { peer });
    const dial = async (body: string) =>
      ask(server, "/api/v0/peers/connect", { method: "POST", headers: json, body });
    expect((await dial('{"address":"/ip4/1"}')).json()).toEqual({ peerId: "12D3KooOther" });
    expect((await dial('{"address":"/bad"}')).json().error.code).toBe("PEER_UNREACHABLE");
    expect((await dial("{}")).json().error.message).toContain("body.address");
    expect((await dial('{"address":"x","more":1}')).json().error.message).toContain("body.more");
    expect((await dial("{")).json().error.code).toBe("INVALID_REQUEST");
    await using alone = await serve();
    expect((await ask(alone, "/api/v0/peers")).json().error.code).toBe("FEATURE_DISABLED");
  });

  test("gives up dialling after its time", async () => {
    const connect: PeerControl["connect"] = async (_address, options) => {
      const { promise, reject } = Promise.withResolvers<never>();
      options?.signal?.addEventListener("abort", () => reject(options.signal?.reason), { once: true });
      return promise;
    };
    await using server = await serve({ limits: { dialTimeoutMs: 50 } }, { peer: { ...peer, connect } });
    const body = '{"address":"/ip4/1"}';
    const answer = await ask(server, "/api/v0/peers/connect", { method: "POST", headers: json, body });
    expect([answer.status, answer.json().error.code]).toEqual([504, "TIMEOUT"]);
  });

  test("probes media, and says when that is off", async () => {
    const info = { container: "mp4", durationSeconds: 1, tracks: [], playable: false, notes: [] };
    const media = { probe: async () => info } as Partial<Media> as Media;
    await using server = await serve({}, { media });
    expect((await ask(server, "/api/v0/probe/x")).json()).toEqual(info);
    await using without = await serve();
    expect((await ask(without, "/api/v0/probe/x")).status).toBe(503);
  });

  test("is asked to stop once the answer is out", async () => {
    await using server = await serve();
    expect((await ask(server, "/api/v0/shutdown", { method: "POST" })).json()).toEqual({ ok: true });
    expect(server.shutdowns.count).toBe(1);
  });
});

describe("errors", () => {
  test("of a schema name every field", async () => {
    await using server = await serve();
    const answer = await ask(server, "/api/v0/content?limit=x&offset=-1&sarch=a");
    expect(answer.status).toBe(400);
    expect(answer.json().error.code).toBe("INVALID_REQUEST");
    for (const field of ["query.limit", "query.offset", "query.sarch"]) {
      expect(answer.json().error.message).toContain(field);
    }
  });

  test("that nobody expected keep their cause to the log", async () => {
    const logged: unknown[] = [];
    const note = (fields: object): void => {
      logged.push(fields);
    };
    const log = { trace: note, debug: note, info: note, warn: note, error: note, child: () => log };
    const status = () => {
      throw new Error("password in /etc/secret");
    };
    await using server = await serve({}, { status, log });
    const answer = await ask(server, "/api/v0/status");
    expect([answer.status, answer.json().error.code]).toEqual([500, "INTERNAL"]);
    expect(answer.text).not.toContain("secret");
    expect(logged).toContainEqual(
      expect.objectContaining({ err: expect.objectContaining({ message: "password in /etc/secret" }) }),
    );
    await using debug = await serve({ debug: true }, { status });
    expect((await ask(debug, "/api/v0/status")).json().error.message).toContain("password");
  });

  test("carry Retry-After where waiting helps", async () => {
    const status = () => {
      throw new CidcastError("BUSY", "full", { retryAfterSeconds: 1.2 });
    };
    await using server = await serve({}, { status });
    const answer = await ask(server, "/api/v0/status");
    expect([answer.status, answer.headers["retry-after"], answer.headers["cache-control"]]).toEqual([
      503,
      "2",
      "no-store",
    ]);
  });

  test("never come from a query or body that nobody thought of", async () => {
    await using server = await serve({}, { peer });
    await fc.assert(
      fc.asyncProperty(fc.webQueryParameters(), fc.json(), async (query, body) => {
        const list = await ask(server, `/api/v0/content?${query}`);
        expect([200, 400]).toContain(list.status);
        const dial = await ask(server, "/api/v0/peers/connect", { method: "POST", headers: json, body });
        expect([200, 400]).toContain(dial.status);
      }),
      { numRuns: 100 },
    );
  });
});

describe("documentation", () => {
  test("names every route of the API, and its page runs no inline scripts", async () => {
    await using server = await serve();
    const document = (await ask(server, "/api/docs/json")).json();
    expect(document.openapi).toBe("3.1.0");
    const documented = Object.keys(document.paths);
    for (const { url } of server.http.routes()) {
      if (!url.startsWith("/api/v0/")) continue;
      expect(documented).toContain(url.replaceAll(/:(\w+)/g, "{$1}").replace("*", "{*}"));
    }
    expect(document.paths["/api/v0/content"].get.parameters.map((one: { name: string }) => one.name)).toEqual(
      ["search", "sort", "limit", "offset"],
    );
    const page = await ask(server, "/api/docs/");
    expect(page.status).toBe(200);
    expect(page.headers["content-security-policy"]).toContain("script-src 'self'");
    expect(page.text).not.toMatch(/<script(?![^>]*src=)[^>]*>/);
    expect((await ask(server, "/api/docs/static/swagger-ui-bundle.js")).status).toBe(200);
  });
});

describe("pages", () => {
  test("say what to do while they are not built, and appear without a restart", async () => {
    await using server = await serve();
    const missing = await ask(server, "/", { headers: { accept: "text/html,*/*" } });
    expect([missing.status, missing.headers["content-type"]]).toEqual([503, "text/html; charset=utf-8"]);
    expect(missing.text).toContain("npm start");
    await mkdir(join(server.webRoot, "assets"), { recursive: true });
    await writeFile(join(server.webRoot, "index.html"), "library");
    await writeFile(join(server.webRoot, "play.html"), "player");
    await writeFile(join(server.webRoot, "assets/app-1a2b.js"), "code");
    const page = await ask(server, "/");
    expect([page.status, page.text, page.headers["cache-control"]]).toEqual([200, "library", "no-cache"]);
    expect(page.headers["content-security-policy"]).toContain("script-src 'self';");
    expect((await ask(server, "/play/bafycid")).text).toBe("player");
    const asset = await ask(server, "/assets/app-1a2b.js");
    expect(asset.headers).toMatchObject({
      "content-type": expect.stringContaining("javascript"),
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
    });
  });

  test("lead nowhere else in the file system", async () => {
    await using server = await serve();
    await mkdir(join(server.webRoot, "assets"), { recursive: true });
    await writeFile(join(server.webRoot, "secret.txt"), "secret");
    for (const path of [
      "/assets/../secret.txt",
      "/assets/%2e%2e/secret.txt",
      "/assets/..%2fsecret.txt",
      "/assets/",
      "/assets/%00",
      "/secret.txt",
    ]) {
      const answer = await ask(server, path);
      expect([path, answer.text === "secret"]).toEqual([path, false]);
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
  });
});
