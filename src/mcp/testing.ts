import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noMetrics, ownerPrincipal, type Principal, silentLogger } from "../core/index.ts";
import { startTestTenancy, type TestTenancy } from "../tenancy/testing.ts";
import type { McpRoute, RouteResponse } from "./api/route.ts";
import { createMcp, type Mcp, type McpComponents, type McpInit } from "./mcp.ts";

export const ADMIN_KEY = "the-admin-key-of-the-test";
export const ANONYMOUS: Principal = { kind: "anonymous", id: "anonymous", door: "http", scopes: new Set() };

export interface TestMcp extends AsyncDisposable {
  readonly mcp: Mcp;
  readonly t: TestTenancy;
  readonly filesDirectory: string;
  /** Calls a route as an HTTP server does. */
  request(method: string, path: string, init?: TestRequest): Promise<TestResponse>;
}

export interface TestRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** A string goes as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly principal?: Principal;
  readonly remoteAddress?: string;
}

/** JSON in a test, which looks at what it expects. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

export interface TestResponse extends RouteResponse {
  readonly body: Json;
}

/** For tests: an MCP server with a tenancy of its own, in memory. */
export async function startTestMcp(
  init: Partial<McpInit> = {},
  components: Partial<McpComponents> = {},
): Promise<TestMcp> {
  const filesDirectory = mkdtempSync(join(tmpdir(), "cidcast-files-"));
  const t = await startTestTenancy();
  const mcp = createMcp(
    {
      version: "1.2.3",
      filesDirectory,
      adminKey: ADMIN_KEY,
      baseUrl: () => "http://127.0.0.1:8000",
      ...init,
    },
    { tenancy: t.tenancy, clock: t.clock, log: silentLogger, metrics: noMetrics, ...components },
  );
  await mcp.start();
  return {
    mcp,
    t,
    filesDirectory,
    request: (method, path, given = {}) => callRoute(mcp.routes, method, path, given),
    async [Symbol.asyncDispose]() {
      await mcp.stop();
      await t[Symbol.asyncDispose]();
      rmSync(filesDirectory, { recursive: true, force: true });
    },
  };
}

/** Finds the route of a path and calls it. */
export async function callRoute(
  routes: readonly McpRoute[],
  method: string,
  path: string,
  { headers = {}, body, principal = ANONYMOUS, remoteAddress = "192.0.2.7" }: TestRequest,
): Promise<TestResponse> {
  const [pathname = "", query = ""] = path.split("?", 2);
  const candidates = routes.flatMap(route =>
    route.paths.map(pattern => ({ route, params: match(pattern, pathname) })),
  );
  // A fixed part wins over a parameter, as in every router.
  const found = candidates
    .filter(({ route, params }) => route.method === method && params !== undefined)
    .sort((a, b) => Object.keys(a.params ?? {}).length - Object.keys(b.params ?? {}).length)[0];
  if (found === undefined) return { status: 404, body: undefined };
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return found.route.handle({
    method,
    params: found.params ?? {},
    query: new URLSearchParams(query),
    header: name => lower.get(name),
    body: body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body),
    remoteAddress,
    principal,
  });
}

function match(pattern: string, pathname: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split("/"), pathname.split("/")];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":") && value !== "") params[part.slice(1)] = value;
    else if (part !== value) return undefined;
  }
  return params;
}

export { ownerPrincipal };
