import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveNode } from "./serve-node.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cidcast-plugins-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function plugin(name: string, source: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, source);
  return path;
}

test("modules that the settings name bring tools, in either form, asked for their scopes", async () => {
  const one = await plugin(
    "one.mjs",
    `export default {
      name: "shout", description: "Says it louder", scopes: ["basic"],
      input_schema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
      handler: async (args, session_id) => args.text.toUpperCase() + " in " + session_id,
    };`,
  );
  const many = await plugin(
    "many.mjs",
    `export default [
      { name: "who", description: "Says who asks", handler: (_, __, context) => ({ structured: { tenant: context.principal.tenantId } }) },
      { name: "fails", description: "Fails", handler: () => { throw new Error("a secret of the plugin"); } },
    ];`,
  );
  await using served = await serveNode({ mcp: { plugins: [one, many] } });
  const { tenants, tokens } = served.node.tenancy!;
  const { id: tenantId } = await tenants.create({ name: "acme" });
  const ask = async (scopes: readonly string[], name: string, args: object): Promise<unknown> => {
    const { token } = await tokens.create({ tenantId, scopes, expiresInDays: 1 });
    const headers = {
      authorization: `Bearer ${token}`,
      "x-tenant-id": tenantId,
      "content-type": "application/json",
    };
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name, arguments: args },
    });
    const response = await fetch(`${served.url}/api/mcp/rpc/`, { method: "POST", headers, body });
    return response.json();
  };
  expect(await ask(["basic"], "shout", { text: "hi" })).toMatchObject({
    result: { content: [{ type: "text", text: expect.stringMatching(/^HI in [\da-f-]{36}$/) }] },
  });
  expect(await ask(["basic"], "shout", {})).toMatchObject({ result: { isError: true } });
  expect(await ask(["files"], "shout", { text: "hi" })).toMatchObject({ error: { code: -32403 } });
  expect(await ask([], "who", {})).toMatchObject({ result: { structuredContent: { tenant: tenantId } } });
  const failed = JSON.stringify(await ask([], "fails", {}));
  expect(failed).toContain('"isError":true');
  expect(failed).not.toContain("a secret of the plugin");
});

test("what brings no usable tool keeps the node from starting, and says which it is", async () => {
  for (const [name, source] of [
    ["none.mjs", "export const tool = {};"],
    ["broken.mjs", "export default {"],
    ["nameless.mjs", 'export default { name: "no spaces", description: "x", handler: () => "" };'],
    ["taken.mjs", 'export default { name: "echo", description: "x", handler: () => "" };'],
  ] as const) {
    const path = await plugin(name, source);
    await expect(serveNode({ mcp: { plugins: [path] } })).rejects.toMatchObject({
      code: expect.stringMatching(/INVALID_CONFIG|CONFLICT/),
    });
  }
  await expect(serveNode({ mcp: { plugins: [join(directory, "missing.mjs")] } })).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringContaining("missing.mjs"),
  });
});
