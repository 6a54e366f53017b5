import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { type ServedNode, serveNode } from "../../contract/node/serve-node.ts";
import { pythonWith } from "./venv.ts";

const run = promisify(execFile);
const CIDCAST = fileURLToPath(new URL("../../../bin/cidcast.mjs", import.meta.url));

/** Both generations of the package, at the versions that are known to work. */
const GENERATIONS = [
  { name: "python-mcp-1", packages: ["mcp[ws]==1.30.0"], script: "client_v1.py" },
  { name: "python-mcp-2", packages: ["mcp==2.3.0"], script: "client_v2.py" },
] as const;

let served: ServedNode;
let folder: string;
let who: { readonly tenantId: string; readonly token: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cidcast-python-"));
  served = await serveNode();
  const { tenants, tokens } = served.node.tenancy!;
  const { id: tenantId } = await tenants.create({ name: "acme" });
  const scopes = ["basic", "content:read", "content:write"];
  who = { tenantId, token: (await tokens.create({ tenantId, scopes, expiresInDays: 1 })).token };
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** How a client of each carrier is told where the node is. */
const carriers = {
  http: () => ({ MCP_URL: `${served.url}/mcp`, MCP_TOKEN: who.token }),
  websocket: () => ({
    MCP_URL: `${served.wsUrl}/ws/mcp/?token=${who.token}&tenant_id=${who.tenantId}`,
  }),
  // As desktop agents have it in their settings: a command that opens a data directory of its own.
  stdio: () => ({
    MCP_COMMAND: JSON.stringify([process.execPath, CIDCAST, "mcp", "--data-dir", join(folder, "data")]),
  }),
};

async function told(
  context: TestContext,
  { name, packages, script }: (typeof GENERATIONS)[number],
  [carrier, ...args]: readonly [keyof typeof carriers, ...string[]],
): Promise<unknown> {
  const python = await pythonWith(name, packages);
  if (typeof python === "string") return context.skip(python);
  const file = fileURLToPath(new URL(script, import.meta.url));
  const env = { ...process.env, ...carriers[carrier]() };
  const { stdout } = await run(python.path, [file, carrier, ...args], { env, timeout: 120_000 });
  return JSON.parse(stdout);
}

const expected = (revision: string) => ({
  server: "cidcast",
  revision,
  tools: expect.arrayContaining(["echo", "calculator", "content_add"]),
  echo: "Grüße 🎬",
  text: "from python",
  refused: true,
  prompts: expect.any(Number),
});

describe("the mcp package of Python, first generation", () => {
  test.for(["http", "websocket", "stdio"] as const)("over %s", async (carrier, context) => {
    expect(await told(context, GENERATIONS[0], [carrier])).toEqual(expected("2025-11-25"));
  });
});

describe("the mcp package of Python, second generation", () => {
  test.for([
    ["http", "legacy", "2025-11-25"],
    ["http", "auto", "2026-07-28"],
    ["stdio", "legacy", "2025-11-25"],
    ["stdio", "2026-07-28", "2026-07-28"],
  ] as const)("over %s, %s", async ([carrier, mode, revision], context) => {
    const server = mode === revision ? null : "cidcast";
    expect(await told(context, GENERATIONS[1], [carrier, mode])).toEqual({ ...expected(revision), server });
  });
});
