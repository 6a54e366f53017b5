import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, serve, type TestServer } from "../testing/serve.ts";

let server: TestServer;
const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
let cid: string;
let site: string;

beforeAll(async () => {
  server = await serve({ limits: { findTimeoutMs: 100 } });
  cid = server.content.putFile(bytes, { name: 'clip "ü".mp4', contentType: "video/mp4" });
  const page = server.content.putFile("<h1>hi</h1>");
  const sub = server.content.put({
    type: "directory",
    entries: new Map([
      ["<b>.txt", page],
      ["a b#?.txt", cid],
    ]),
  });
  site = server.content.put({
    type: "directory",
    entries: new Map([
      ["index.html", page],
      ["sub", sub],
    ]),
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** What a range of the file is, by plain slicing. */
function reference(first: number | null, last: number | null): { status: number; body: string } {
  if ((first === null && last === null) || (first !== null && last !== null && last < first)) {
    return { status: 200, body: bytes.toString("hex") };
  }
  const start = first ?? Math.max(0, 1000 - (last ?? 0));
  const wanted = bytes.subarray(start, first === null || last === null ? undefined : last + 1);
  return { status: wanted.length === 0 ? 416 : 206, body: wanted.toString("hex") };
}

describe("files", () => {
  test("come whole, with type, length, validator and a year's cache", async () => {
    const answer = await ask(server, `/ipfs/${cid}`);
    expect(answer.status).toBe(200);
    expect(answer.body.equals(bytes)).toBe(true);
    expect(answer.headers).toMatchObject({
      "content-type": "video/mp4",
      "content-length": "1000",
      etag: `"${cid}"`,
      "cache-control": "public, max-age=29030400, immutable",
      "accept-ranges": "bytes",
      "x-content-type-options": "nosniff",
      "x-ipfs-path": `/ipfs/${cid}`,
      "access-control-allow-origin": "*",
    });
    expect(answer.headers["content-security-policy"]).toMatch(/^sandbox; default-src 'none'/);
    expect(answer.headers["content-disposition"]).toBe(
      `inline; filename="clip ___.mp4"; filename*=UTF-8''clip%20%22%C3%BC%22.mp4`,
    );
  });

  test("HEAD tells the same and sends nothing", async () => {
    const answer = await ask(server, `/ipfs/${cid}`, { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(answer.body).toHaveLength(0);
    expect(answer.headers).toMatchObject({
      "content-length": "1000",
      etag: `"${cid}"`,
      "content-type": "video/mp4",
    });
    const part = await ask(server, `/ipfs/${cid}`, { method: "HEAD", headers: { range: "bytes=0-9" } });
    expect([part.status, part.headers["content-length"]]).toEqual([206, "10"]);
  });

  test.each([
    ["bytes=0-0", 0, 1],
    ["bytes=990-", 990, 1000],
    ["bytes=990-5000", 990, 1000],
    ["bytes=-10", 990, 1000],
    ["bytes=-5000", 0, 1000],
    ["bytes=999-999", 999, 1000],
  ])("range %s is a part", async (range, start, end) => {
    const answer = await ask(server, `/ipfs/${cid}`, { headers: { range } });
    expect(answer.status).toBe(206);
    expect(answer.headers["content-range"]).toBe(`bytes ${start}-${end - 1}/1000`);
    expect(answer.body.equals(bytes.subarray(start, end))).toBe(true);
  });

  test.each(["bytes=1000-", "bytes=5000-6000", "bytes=-0", "bytes=99999999999999999999-"])(
    "range %s is nowhere in the file",
    async range => {
      const answer = await ask(server, `/ipfs/${cid}`, { headers: { range } });
      expect(answer.status).toBe(416);
      expect(answer.headers["content-range"]).toBe("bytes */1000");
      expect(answer.json().error.code).toBe("RANGE_NOT_SATISFIABLE");
      expect(answer.headers["cache-control"]).toBe("no-store");
      expect(answer.headers.etag).toBeUndefined();
    },
  );

  test.each(["bytes=5-9,0-1", "bytes=5-9, -3,7-"])(
    "of several ranges (%s) the first is served",
    async range => {
      const answer = await ask(server, `/ipfs/${cid}`, { headers: { range } });
      expect([answer.status, answer.headers["content-range"]]).toEqual([206, "bytes 5-9/1000"]);
      expect(answer.body.equals(bytes.subarray(5, 10))).toBe(true);
    },
  );

  test.each(["bytes=0-1,x", "lines=1-2", "bytes=5-2", "bytes=-", "bytes=a-b", "bytes", ""])(
    "range %s is passed over",
    async range => {
      const answer = await ask(server, `/ipfs/${cid}`, { headers: { range } });
      expect([answer.status, answer.body.length]).toEqual([200, 1000]);
    },
  );

  test("any range gets what a slice of the file gives", async () => {
    const offset = fc.nat({ max: 1100 });
    await fc.assert(
      fc.asyncProperty(fc.option(offset), fc.option(offset), async (first, last) => {
        const range = `bytes=${first ?? ""}-${last ?? ""}`;
        const answer = await ask(server, `/ipfs/${cid}`, { headers: { range } });
        const body = answer.status === 416 ? "" : answer.body.toString("hex");
        expect({ status: answer.status, body }).toEqual(reference(first, last));
      }),
      { numRuns: 150 },
    );
  });

  test("a header that is no range never fails a request", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom(...Array.from("bytes=-0123, \t;")) }),
        async range => {
          const { status } = await ask(server, `/ipfs/${cid}`, { headers: { range } });
          expect([200, 206, 416]).toContain(status);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("an empty file is whole whatever the range", async () => {
    const empty = server.content.putFile("");
    for (const range of ["bytes=0-", "bytes=-1", "bytes=5-"]) {
      const answer = await ask(server, `/ipfs/${empty}`, { headers: { range } });
      expect([answer.status, answer.headers["content-length"]]).toEqual([200, "0"]);
    }
  });

  test("If-None-Match is answered without reading", async () => {
    const before = server.content.streamedBytes;
    for (const tag of [`"${cid}"`, `W/"${cid}"`, `"x", "${cid}"`, "*"]) {
      const answer = await ask(server, `/ipfs/${cid}`, { headers: { "if-none-match": tag } });
      expect([answer.status, answer.body.length, answer.headers.etag]).toEqual([304, 0, `"${cid}"`]);
    }
    expect(server.content.streamedBytes).toBe(before);
    expect((await ask(server, `/ipfs/${cid}`, { headers: { "if-none-match": '"x"' } })).status).toBe(200);
  });

  test("If-Range with another tag gets the whole file", async () => {
    const range = "bytes=0-9";
    for (const [tag, status] of [
      [`"${cid}"`, 206],
      [`W/"${cid}"`, 200],
      ['"x"', 200],
      ["Sat, 21 Nov 2026 00:00:00 GMT", 200],
    ] as const) {
      expect((await ask(server, `/ipfs/${cid}`, { headers: { range, "if-range": tag } })).status).toBe(
        status,
      );
    }
  });

  test("are saved under the name asked for, which can break out of nothing", async () => {
    const name = `a"b\\c\r\nSet-Cookie: x=1 'é.mp4`;
    const answer = await ask(server, `/ipfs/${cid}?download=1&filename=${encodeURIComponent(name)}`);
    expect(answer.headers["content-disposition"]).toBe(
      `attachment; filename="a_b_c__Set-Cookie: x=1 '_.mp4"; filename*=UTF-8''a%22b%5Cc%0D%0ASet-Cookie%3A%20x%3D1%20%27%C3%A9.mp4`,
    );
    expect(answer.headers["set-cookie"]).toBeUndefined();
  });

  test("a stored page runs no scripts and has no origin of the node", async () => {
    const page = await ask(server, `/ipfs/${site}/`);
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    const csp = page.headers["content-security-policy"];
    expect(csp).toContain("sandbox;");
    expect(csp).not.toMatch(/allow-same-origin|allow-scripts|script-src/);
  });
});

describe("what is not there", () => {
  test.each([
    ["/ipfs/nonsense", 400, "INVALID_CID"],
    ["/ipfs/", 400, "INVALID_REQUEST"],
    ["/ipfs/QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", 404, "CONTENT_NOT_FOUND"],
    ["/ipfs/%00", 400, "INVALID_REQUEST"],
    ["/ipfs/%zz", 400, "INVALID_REQUEST"],
  ])("%s is %i %s", async (path, status, code) => {
    const answer = await ask(server, path);
    expect([answer.status, answer.json().error.code]).toEqual([status, code]);
  });

  test("a path that leads nowhere is told apart", async () => {
    const answer = await ask(server, `/ipfs/${site}/nope.txt`);
    expect([answer.status, answer.json().error.code]).toEqual([404, "PATH_NOT_FOUND"]);
  });

  test("content that nobody has ends in a bounded wait", async () => {
    const lost = server.content.putFile("lost");
    server.content.searching.add(lost);
    const answer = await ask(server, `/ipfs/${lost}`);
    expect([answer.status, answer.json().error.code]).toEqual([404, "CONTENT_NOT_FOUND"]);
    expect(answer.headers["retry-after"]).toBe("10");
  });

  test("a format that is not served is refused rather than answered with something else", async () => {
    expect((await ask(server, `/ipfs/${cid}?format=tar`)).json().error.code).toBe("INVALID_REQUEST");
  });
});

describe("directories", () => {
  test("without a slash lead to the one with it, query and all", async () => {
    const answer = await ask(server, `/ipfs/${site}/sub?x=1`);
    expect([answer.status, answer.headers.location]).toEqual([301, `/ipfs/${site}/sub/?x=1`]);
  });

  test("show their index.html", async () => {
    expect((await ask(server, `/ipfs/${site}/`)).text).toBe("<h1>hi</h1>");
  });

  test("list their entries in HTML, every name escaped", async () => {
    const answer = await ask(server, `/ipfs/${site}/sub/`);
    expect(answer.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(answer.text).toContain(`href="/ipfs/${site}/sub/a%20b%23%3F.txt"`);
    expect(answer.text).toContain("&#60;b&#62;.txt");
    expect(answer.text).not.toContain("<b>");
    expect(answer.headers["content-security-policy"]).toContain("sandbox");
    const again = await ask(server, `/ipfs/${site}/sub/`, {
      headers: { "if-none-match": answer.headers.etag! },
    });
    expect(again.status).toBe(304);
  });

  test("list their entries in JSON, by pages", async () => {
    const accept = "application/json";
    const all = (await ask(server, `/ipfs/${site}/sub`, { headers: { accept } })).json();
    expect(all).toMatchObject({
      truncated: false,
      entries: [
        { name: "<b>.txt", type: "file", size: 11 },
        { name: "a b#?.txt", cid },
      ],
    });
    const one = (await ask(server, `/ipfs/${site}/sub?limit=1&offset=1`, { headers: { accept } })).json();
    expect(one.entries.map((entry: { name: string }) => entry.name)).toEqual(["a b#?.txt"]);
  });
});

test("nothing stays open afterwards", async () => {
  await ask(server, `/ipfs/${cid}`);
  while (server.content.holds > 0) await new Promise(resolve => setImmediate(resolve));
  expect(server.content.openFiles).toBe(0);
});
