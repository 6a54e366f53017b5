import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { MAX_CUES, MAX_PICTURE_WIDTH } from "../../../src/mcp/limits.ts";
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

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
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

test("a tenant has jobs for its own content alone, and no transfers", async () => {
  await using served = await serveNode();
  const { tenancy } = served.node;
  const { id: tenantId } = await tenancy!.tenants.create({ name: "acme" });
  const scopes = ["media", "peers"];
  const { token } = await tenancy!.tokens.create({ tenantId, scopes, expiresInDays: null });
  const calls = [
    ["media_prepare", { ref: "bafkqaaa" }, "CONTENT_NOT_FOUND"],
    ["job_status", { job_id: "x" }, "JOB_NOT_FOUND"],
    ["job_cancel", { job_id: "x" }, "JOB_NOT_FOUND"],
    ["transfer", { cid: "bafkqaaa", from: ["http://127.0.0.1:1"] }, "Only the node's owner"],
    ["transfer_status", { transfer_id: "x" }, "Only the node's owner"],
  ] as const;
  for (const [name, args, why] of calls) {
    const [isError, text] = codeOf(await call(served, name, args, token));
    expect([name, isError, text.includes(why)]).toEqual([name, true, true]);
  }
});

test("what an agent is shown can be checked against the bytes it names", async () => {
  await using served = await serveNode();
  const { node, url } = served;
  const { cid } = await node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
  const hashAt = async (from: { readonly cid: string; readonly from: number; readonly to: number }) => {
    const headers = { range: `bytes=${from.from}-${from.to - 1}` };
    const response = await fetch(`${url}/ipfs/${from.cid}`, { headers });
    expect(response.status).toBe(206);
    return sha256(new Uint8Array(await response.arrayBuffer()));
  };
  const frame = await call(served, "media_frame", { ref: cid, time_seconds: 1.5, max_width: 320 });
  const { structuredContent: shown, content } = frame;
  expect(shown).toMatchObject({ cid, track: "v0", picture: { width: 320, mime_type: "image/jpeg" } });
  expect(shown.time_seconds).toBeGreaterThan(1.4);
  expect(shown.time_seconds).toBeLessThanOrEqual(1.5);
  expect(await hashAt({ cid, ...shown.bytes })).toBe(shown.bytes.sha256);
  const [, picture, link] = content;
  expect(picture).toMatchObject({ type: "image", mimeType: "image/jpeg" });
  expect(sha256(Buffer.from(picture.data, "base64"))).toBe(shown.picture.sha256);
  const uri = `ipfs://${cid}?start=${shown.bytes.from}&end=${shown.bytes.to}`;
  expect(link).toMatchObject({ type: "resource_link", uri });

  expect((await call(served, "media_captions", { ref: cid })).structuredContent).toMatchObject({ cues: [] });
  const texts = Array.from({ length: 4 }, (_, i) => `00:0${i}.000 --> 00:0${i}.900\nLine ${i}\n`);
  const vtt = await node.content.add(Readable.from([Buffer.from(`WEBVTT\n\n${texts.join("\n")}`)]));
  await node.captions.attach(cid, vtt.cid, "", { language: "en-GB" });
  const ask = { ref: cid, language: "en", from_seconds: 1, limit: 2 };
  const captions = (await call(served, "media_captions", ask)).structuredContent;
  expect(captions).toMatchObject({ track: { cid: vtt.cid, language: "en-GB" }, next_seconds: 3 });
  expect(captions.cues.map((cue: Json) => cue.text)).toEqual(["Line 1", "Line 2"]);
  for (const cue of captions.cues) expect(await hashAt(cue)).toBe(cue.sha256);
  const wrong = [
    await call(served, "media_captions", { ref: cid, language: "de" }),
    await call(served, "media_captions", { ref: cid, track: "s9" }),
    await call(served, "media_captions", { ref: cid, limit: MAX_CUES + 1 }),
    await call(served, "media_frame", { ref: cid, max_width: MAX_PICTURE_WIDTH + 1 }),
    await call(served, "media_frame", { ref: vtt.cid }),
  ];
  expect(
    wrong.map(answer => /TRACK_NOT_FOUND|Invalid arguments|UNSUPPORTED_MEDIA/.exec(codeOf(answer)[1])?.[0]),
  ).toEqual([
    "TRACK_NOT_FOUND",
    "TRACK_NOT_FOUND",
    "Invalid arguments",
    "Invalid arguments",
    "UNSUPPORTED_MEDIA",
  ]);
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

test("what a tenant's agents did is kept under a CID that the tenant does not see", async () => {
  await using served = await serveNode();
  const { tenants, tokens } = served.node.tenancy!;
  const { id: tenantId } = await tenants.create({ name: "acme" });
  const { token } = await tokens.create({ tenantId, scopes: ["content:read"], expiresInDays: 1 });
  await call(served, "echo", { message: "kept" }, token);
  const key = (await readFile(served.node.adminKeyFile, "utf8")).trim();
  const ask = async (): Promise<Json> => {
    const url = `${served.url}/api/admin/audit/export/?tenant_id=${tenantId}`;
    return (await fetch(url, { method: "POST", headers: { "x-admin-key": key } })).json();
  };
  const { cid, size } = await ask();
  const text = await (await fetch(`${served.url}/ipfs/${cid}`)).text();
  expect(Buffer.byteLength(text)).toBe(size);
  const lines = text.trimEnd().split("\n");
  expect(lines.map(line => JSON.parse(line))).toMatchObject([{ seq: 1, tool: "echo", tenant_id: tenantId }]);
  // The same log has the same CID; one call more another.
  expect((await ask()).cid).toBe(cid);
  await call(served, "echo", { message: "again" }, token);
  expect((await ask()).cid).not.toBe(cid);
  const headers = { authorization: `Bearer ${token}` };
  expect((await fetch(`${served.url}/ipfs/${cid}`, { headers })).status).toBe(404);
});
