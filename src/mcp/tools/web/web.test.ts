import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  MAX_REDIRECTS,
  MAX_URL_LENGTH,
  MAX_WEB_BODY_BYTES,
  MAX_WEB_BYTES,
  MAX_WEB_HEADERS,
} from "../../limits.ts";
import { startTestTenancy } from "../../../tenancy/testing.ts";
import type { RequestContext } from "../../types.ts";
import { publicAddressesOnly } from "./address-policy.ts";
import { createGuardedFetch, type GuardedFetchInit, type WebRequest } from "./guarded-fetch.ts";
import { endpointUrl, secureApiTool, webRequestTool } from "./web-tools.ts";

describe("publicAddressesOnly", () => {
  test.each([
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "5f00::1",
    "",
    "localhost",
    "1.2.3",
    "0x7f.1",
  ])("%s is kept out", address => expect(publicAddressesOnly(address)).toBe(false));

  test.each([
    "1.1.1.1",
    "93.184.215.14",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
  ])("%s is let through", address => expect(publicAddressesOnly(address)).toBe(true));
});

const get = (url: string, init: Partial<WebRequest> = {}): WebRequest => ({
  url,
  method: "GET",
  headers: {},
  body: undefined,
  ...init,
});

describe("guarded fetch", () => {
  let origin: string;
  let port: number;
  let seen: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", chunk => (body += chunk));
    request.on("end", () => {
      seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      answer(request, response);
    });
  });
  beforeEach(async () => {
    seen = [];
    answer = (_, response) => response.end("hello");
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo);
    origin = `http://127.0.0.1:${port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });
  /** A fetch for which the test's own server counts as public, and nothing else does. */
  const open = (init: GuardedFetchInit = {}) =>
    createGuardedFetch({ policy: address => address === "127.0.0.1", ...init });

  test.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:7f00:1]/",
    "http://169.254.169.254/latest/meta-data",
    "http://[fd00:ec2::254]/",
    "http://0/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://10.0.0.1:8080/",
    "http://192.168.0.1/",
  ])("%s is refused before a connection is made", async url => {
    await expect(createGuardedFetch()(get(url))).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test.each([
    "file:///etc/passwd",
    "ftp://example.org/",
    "gopher://127.0.0.1:6379/_x",
    "http://user:pw@example.org/",
    "//x",
    "",
    "data:text/plain,x",
    "http://example.org:25/",
    "http://example.org:22/",
    `http://example.org/${"x".repeat(MAX_URL_LENGTH)}`,
  ])("%s is no URL for it", async url => {
    await expect(createGuardedFetch()(get(url))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("a name that leads anywhere private is refused, even when it leads to a public address too", async () => {
    for (const addresses of [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"]]) {
      const fetch = createGuardedFetch({ resolve: async () => addresses });
      await expect(fetch(get("http://example.org/"))).rejects.toMatchObject({ code: "FORBIDDEN" });
    }
    await expect(
      createGuardedFetch({ resolve: async () => [] })(get("http://example.org/")),
    ).rejects.toMatchObject({
      code: "NODE_UNREACHABLE",
    });
    await expect(createGuardedFetch()(get("http://localhost/"))).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test("the name is asked once, and the connection goes to that answer: rebinding changes nothing", async () => {
    let asked = 0;
    const resolve = async () => (asked++ === 0 ? ["127.0.0.1"] : ["10.0.0.1"]);
    const response = await open({ resolve })(get(`http://rebind.example:${port}/x`));
    expect([asked, response.status, Buffer.from(response.body).toString()]).toEqual([1, 200, "hello"]);
    expect(seen[0]?.headers.host).toBe(`rebind.example:${port}`);
  });

  test("redirects are followed through the same checks, and to a private address not at all", async () => {
    answer = (request, response) => {
      const to = request.url === "/a" ? "/b" : request.url === "/in" ? "http://10.0.0.1/secret" : undefined;
      if (request.url === "/file") response.writeHead(302, { location: "file:///etc/passwd" }).end();
      else if (to === undefined) response.end("end");
      else response.writeHead(302, { location: to }).end();
    };
    expect(await open()(get(`${origin}/a`))).toMatchObject({ status: 200, redirects: 1, url: `${origin}/b` });
    await expect(open()(get(`${origin}/in`))).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(open()(get(`${origin}/file`))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("endless redirects end", async () => {
    answer = (_, response) => response.writeHead(307, { location: "/again" }).end();
    await expect(open()(get(`${origin}/`))).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    expect(seen).toHaveLength(MAX_REDIRECTS + 1);
  });

  test("secrets stay behind when a redirect leads to another origin, and a POST becomes a GET", async () => {
    answer = (request, response) =>
      request.url === "/a"
        ? response.writeHead(302, { location: `http://other.example:${port}/b` }).end()
        : response.end();
    const headers = { authorization: "Bearer s", cookie: "c=1", "x-api-key": "k", "x-trace": "t" };
    await open({ resolve: async () => ["127.0.0.1"] })(
      get(`${origin}/a`, { method: "POST", headers, body: Buffer.from("body") }),
    );
    expect(seen[0]).toMatchObject({ method: "POST", body: "body", headers: { authorization: "Bearer s" } });
    expect(seen[1]).toMatchObject({ method: "GET", body: "", headers: { "x-trace": "t" } });
    for (const name of ["authorization", "cookie", "x-api-key"])
      expect(seen[1]?.headers).not.toHaveProperty(name);
  });

  test.each([
    "Host",
    "Connection",
    "Content-Length",
    "Transfer-Encoding",
    "X-Forwarded-For",
    "Metadata-Flavor",
    "Proxy-Authorization",
  ])("the header %s may not be set", async name => {
    await expect(open()(get(origin, { headers: { [name]: "x" } }))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });

  test.each([
    ["x\r\ny", "1"],
    ["x", "1\r\nInjected: yes"],
    ["x", "\u0000"],
    ["", "1"],
    ["x y", "1"],
  ])("the header %j: %j is not sent", async (name, value) => {
    await expect(open()(get(origin, { headers: { [name]: value } }))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    expect(seen).toEqual([]);
  });

  test("one header more than there may be is refused", async () => {
    await using t = await startTestTenancy();
    const tool = webRequestTool({ fetch: open(), credentials: t.tenancy.credentials });
    const headers = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "1"]));
    expect(tool.parse({ url: origin, headers: headers(MAX_WEB_HEADERS) }).ok).toBe(true);
    expect(tool.parse({ url: origin, headers: headers(MAX_WEB_HEADERS + 1) })).toMatchObject({
      ok: false,
      problem: expect.stringContaining(`at most ${MAX_WEB_HEADERS} headers`),
    });
  });

  test("an answer that is too long is cut, one that never comes ends in time", async () => {
    answer = (_, response) => response.end(Buffer.alloc(MAX_WEB_BYTES + 5));
    const long = await open()(get(origin));
    expect([long.body.length, long.truncated]).toEqual([MAX_WEB_BYTES, true]);
    answer = () => {};
    await expect(open({ timeoutMs: 50 })(get(origin))).rejects.toMatchObject({ code: "TIMEOUT" });
    answer = (_, response) => response.write("a little");
    await expect(open({ timeoutMs: 50 })(get(origin))).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  test("a credential goes to its own host, and never comes back in an answer", async () => {
    await using t = await startTestTenancy();
    const { tenantId, token } = await t.tenant("A", ["web"]);
    const principal = await t.tenancy.resolveToken(token, { door: "http" });
    const components = { fetch: open(), credentials: t.tenancy.credentials, allowPlainHttp: true };
    const store = (toolName: string, credentialKey: string, value: string) =>
      t.tenancy.credentials.store({ tenantId, toolName, credentialKey }, value);
    await store("web_request", `github@127.0.0.1:${port}`, "s3cr3t-value");
    answer = (request, response) => {
      response.setHeader("set-cookie", "a=1");
      response.setHeader("x-echo", request.headers.authorization ?? "");
      response.end(JSON.stringify({ got: request.headers.authorization }));
    };
    // The tools look at principal and signal only.
    const context = { principal, signal: new AbortController().signal } as RequestContext;
    const run = (tool: ReturnType<typeof webRequestTool>, args: object) => {
      const parsed = tool.parse(args);
      if (!parsed.ok) throw new Error(parsed.problem);
      return tool.run(parsed.value, context);
    };
    const web = webRequestTool(components);
    const result = JSON.stringify(
      await run(web, { url: origin, credential: "github", method: "POST", data: { a: 1 } }),
    );
    expect(seen[0]).toMatchObject({
      body: '{"a":1}',
      headers: { authorization: "Bearer s3cr3t-value", "content-type": "application/json" },
    });
    expect(result).toContain("[redacted]");
    for (const hidden of ["s3cr3t-value", "set-cookie"]) expect(result).not.toContain(hidden);
    await expect(
      run(web, { url: `http://other.example:${port}/`, credential: "github" }),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(
      run(webRequestTool({ ...components, allowPlainHttp: false }), { url: origin, credential: "github" }),
    ).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(
      run(web, { url: origin, method: "POST", data: "x".repeat(MAX_WEB_BODY_BYTES + 1) }),
    ).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
    await store("secure_api", "api_key", "s3cr3t-value");
    await store("secure_api", "base_url", `${origin}/v1`);
    const secure = JSON.stringify(await run(secureApiTool(components), { endpoint: "user_profile" }));
    expect(seen.at(-1)).toMatchObject({
      url: "/v1/user_profile",
      headers: { authorization: "Bearer s3cr3t-value" },
    });
    expect(secure).not.toContain("s3cr3t-value");
  });

  test.each([
    "../admin",
    "/../x",
    "https://evil.example/",
    "..%2fadmin",
    "%2e%2e/admin",
    "\\\\evil.example\\x",
    "a/../../admin",
  ])("the endpoint %s does not leave the base address", endpoint => {
    const outcome = (() => {
      try {
        return endpointUrl("https://api.example/v1", endpoint).href;
      } catch (error) {
        return (error as { code?: string }).code ?? "";
      }
    })();
    expect(outcome === "INVALID_REQUEST" || outcome.startsWith("https://api.example/v1/")).toBe(true);
  });
});
