import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ContentEvents,
  type ContentService,
  contentMigrations,
  createContent,
} from "../../content/index.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { type Database, openDatabase } from "../../store/index.ts";
import { ask, serve, type TestServer } from "../testing/serve.ts";

let server: TestServer;
let content: ContentService;
let database: Database;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cidcast-gateway-"));
  database = await openDatabase({ file: ":memory:", migrations: contentMigrations });
  content = createContent({ directory })({
    database,
    log: silentLogger,
    metrics: noMetrics,
    events: new EventBus<ContentEvents>(silentLogger),
    clock: systemClock,
  });
  await content.start();
  server = await serve({ maxUploadBytes: 64 * 1024 * 1024 }, { content });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await content.stop();
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

const add = async (body: Uint8Array | FormData, query = "") =>
  (await ask(server, `/api/v0/add${query}`, { method: "POST", body })).json();

const inFlight = async (count: number): Promise<void> => {
  const line = `cidcast_http_requests_in_flight ${count}\n`;
  while (!(await server.metricsText()).includes(line)) await new Promise(resolve => setImmediate(resolve));
};

describe("the gateway on content as it is kept", () => {
  test("gives back any range of what was uploaded", async () => {
    // Five leaves, the last of them short.
    const bytes = randomBytes(4 * 256 * 1024 + 1000);
    const { cid, size } = await add(bytes, "?name=noise.bin");
    expect(size).toBe(bytes.length);
    expect((await ask(server, `/ipfs/${cid}`)).body.equals(bytes)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 600_000 }), async (start, length) => {
        const range = `bytes=${start}-${start + length}`;
        const answer = await ask(server, `/ipfs/${cid}`, { headers: { range } });
        expect(answer.status).toBe(206);
        expect(answer.body.equals(bytes.subarray(start, start + length + 1))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("walks directories, and names types by content before names", async () => {
    const form = new FormData();
    form.append("file", new File(["<h1>hi</h1>"], "site/index.html"));
    form.append("file", new File([randomBytes(300_000)], "site/deep/er/noise.bin"));
    const { cid, name } = await add(form);
    expect(name).toBe("site");
    const page = await ask(server, `/ipfs/${cid}/`);
    expect([page.text, page.headers["content-type"]]).toEqual(["<h1>hi</h1>", "text/html; charset=utf-8"]);
    expect((await ask(server, `/ipfs/${cid}/deep/er/noise.bin`)).body).toHaveLength(300_000);
    expect((await ask(server, `/ipfs/${cid}/deep/nope`)).json().error.code).toBe("PATH_NOT_FOUND");
    expect((await ask(server, `/api/v0/stat/${cid}`)).json()).toMatchObject({
      type: "directory",
      complete: true,
    });
    const listing = await ask(server, `/ipfs/${cid}/deep/`, { headers: { accept: "application/json" } });
    expect(listing.json().entries).toMatchObject([{ name: "er", type: "directory" }]);
  });

  test("an upload that breaks off leaves no record", async () => {
    const { total } = (await ask(server, "/api/v0/content")).json();
    const path = "/api/v0/add?name=broken";
    const client = request({ host: "127.0.0.1", port: server.port, path, method: "POST" });
    client.on("error", () => undefined);
    client.write(randomBytes(1024 * 1024));
    await inFlight(1);
    client.destroy();
    await inFlight(0);
    expect((await ask(server, "/api/v0/content")).json().total).toBe(total);
  });

  test("removes, pins and lists what the records say", async () => {
    const { cid } = await add(Buffer.from("kept"), "?name=kept.txt&pin-name=mine");
    expect((await ask(server, "/api/v0/pins")).json().pins).toContainEqual(
      expect.objectContaining({ cid, name: "mine" }),
    );
    expect((await ask(server, "/api/v0/content?search=kept")).json().records).toMatchObject([
      { cid, size: 4 },
    ]);
    expect((await ask(server, `/api/v0/content/${cid}`, { method: "DELETE" })).status).toBe(200);
    expect((await ask(server, `/api/v0/content/${cid}`)).json().error.code).toBe("CONTENT_NOT_FOUND");
  });

  test("what is nowhere is CONTENT_NOT_FOUND, what is no CID INVALID_CID", async () => {
    const lost = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
    expect((await ask(server, `/ipfs/${lost}`)).json().error.code).toBe("CONTENT_NOT_FOUND");
    for (const text of ["nonsense", "bafy", "%20", "Qm"]) {
      expect((await ask(server, `/ipfs/${text}`)).json().error.code).toBe("INVALID_CID");
    }
  });

  test("no address makes it fail with anything unexpected", async () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom("..", ".", "bafkqaaa", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async parts => {
        const path = parts.map(text => encodeURIComponent(text.toWellFormed())).join("/");
        for (const prefix of ["/ipfs/", "/api/v0/cat/", "/api/v0/ls/", "/api/v0/stat/"]) {
          const { status } = await ask(server, prefix + path);
          expect([200, 301, 400, 404, 415]).toContain(status);
        }
      }),
      { numRuns: 60 },
    );
  });
});
