import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type ServedNode, serveNode } from "./serve-node.ts";

const SAMPLE = fileURLToPath(new URL("../../../samples/sample-720p.mp4", import.meta.url));
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };

// Tests look into answers of every shape.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

/** Calls a tool of a node, as its owner or with a tenant's token. */
async function call(served: ServedNode, name: string, args: object, token?: string): Promise<Json> {
  const response = await fetch(`${served.url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } }),
  });
  const text = await response.text();
  const json = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  return JSON.parse(json).result;
}

const codeOf = ({ isError, content }: Json): [unknown, string] => [isError, JSON.stringify(content)];

test("an agent brings content from another node and sees how it went", async () => {
  await using there = await serveNode({ p2p: P2P });
  await using here = await serveNode({ p2p: P2P });
  const { cid } = await there.node.content.add(Readable.from([randomBytes(600_000)]));
  const from = [String(there.node.peer?.multiaddrs[0])];
  const begun = await call(here, "transfer", { cid, from });
  const { id } = begun.structuredContent;
  await here.node.transfers.finished(id);
  const { structuredContent } = await call(here, "transfer_status", { transfer_id: id });
  expect(structuredContent).toMatchObject({ id, cid, state: "completed", rung: "libp2p", attempts: [] });
  expect(structuredContent.bytes).toBeGreaterThan(600_000);
  const { peers } = (await call(here, "peers", {})).structuredContent;
  expect(peers).toMatchObject([{ peer_id: there.node.peer?.id, direction: "outbound" }]);
  expect(codeOf(await call(here, "transfer_status", { transfer_id: "none" }))[0]).toBe(true);
});

test("an agent has media prepared, looks at the job and ends it", async () => {
  await using served = await serveNode();
  const { cid } = await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
  const begun = await call(served, "media_prepare", { ref: cid, presets: ["very_low"] });
  const { id, state } = begun.structuredContent;
  expect(["queued", "running"]).toContain(state);
  expect((await call(served, "job_status", { job_id: id })).structuredContent).toMatchObject({ id, cid });
  const ended = await call(served, "job_cancel", { job_id: id });
  expect(ended.structuredContent).toMatchObject({ id, state: "cancelled" });
  const again = await call(served, "job_cancel", { job_id: id });
  expect(again.isError).toBe(true);
});

test("a tenant neither starts such work nor sees it", async () => {
  await using served = await serveNode();
  const { tenancy } = served.node;
  const { id: tenantId } = await tenancy!.tenants.create({ name: "acme" });
  const scopes = ["media", "peers"];
  const { token } = await tenancy!.tokens.create({ tenantId, scopes, expiresInDays: null });
  const calls = [
    ["media_prepare", { ref: "bafkqaaa" }],
    ["job_status", { job_id: "x" }],
    ["job_cancel", { job_id: "x" }],
    ["transfer", { cid: "bafkqaaa", from: ["http://127.0.0.1:1"] }],
    ["transfer_status", { transfer_id: "x" }],
  ] as const;
  for (const [name, args] of calls) {
    const [isError, text] = codeOf(await call(served, name, args, token));
    expect([name, isError, text.includes("Only the node's owner")]).toEqual([name, true, true]);
  }
});

test("an agent asks why a viewer stalls, and how the node is connected", async () => {
  await using served = await serveNode({ webrtc: { enabled: true } });
  const { cid } = await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
  const owner = { kind: "local", id: "owner", door: "embed", scopes: new Set(["*"]) } as const;
  const { session } = await served.node.webrtc!.createOffer({ cid, owner: "viewer", principal: owner });
  const why = await call(served, "why_stalled", { session_id: session.id });
  expect(why.structuredContent).toMatchObject({ timeline: expect.any(Array) });
  expect(codeOf(await call(served, "why_stalled", { session_id: "pc_none" }))).toEqual([
    true,
    expect.stringContaining("SESSION_NOT_FOUND"),
  ]);
  const { structuredContent: report } = await call(served, "check_connectivity", {});
  expect(report).toMatchObject({ version: served.node.version, findings: expect.any(Array) });
  expect(report.findings.length).toBeGreaterThan(3);
  const { tenants, tokens } = served.node.tenancy!;
  const { id: tenantId } = await tenants.create({ name: "acme" });
  const { token } = await tokens.create({ tenantId, scopes: ["peers", "media"], expiresInDays: 1 });
  const codes = [
    codeOf(await call(served, "check_connectivity", {}, token)),
    codeOf(await call(served, "why_stalled", { session_id: session.id }, token)),
  ];
  expect(codes).toEqual([
    [true, expect.stringContaining("FORBIDDEN")],
    [true, expect.stringContaining("SESSION_NOT_FOUND")],
  ]);
});
