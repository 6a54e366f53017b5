import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { CidcastClient, type RtcConfiguration } from "@cidcast/client";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { expect, test } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { serveNode } from "./serve-node.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };

interface CollectedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status: { readonly code?: number; readonly message?: string };
}

/** A collector of OTLP over HTTP, in JSON. */
async function startCollector() {
  const bodies: string[] = [];
  const asked: { readonly url: string | undefined; readonly key: unknown }[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", chunk => chunks.push(chunk as Buffer));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks).toString());
      asked.push({ url: request.url, key: request.headers["x-collector-key"] });
      response.setHeader("content-type", "application/json").end("{}");
      for (const look of waiting) look();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const spans = (): CollectedSpan[] =>
    bodies
      .flatMap(body => JSON.parse(body).resourceSpans)
      .flatMap(resource => resource.scopeSpans)
      .flatMap(scope => scope.spans);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    asked,
    spans,
    /** The first span of that name, once it has come. */
    async span(name: string): Promise<CollectedSpan> {
      const { promise, resolve } = Promise.withResolvers<CollectedSpan>();
      const look = (): void => {
        const found = spans().find(span => span.name === name);
        if (found !== undefined) resolve(found);
      };
      waiting.add(look);
      look();
      const found = await promise;
      waiting.delete(look);
      return found;
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const attributesOf = ({ attributes }: CollectedSpan): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

test("a collector is told of requests, joins, transfers and tool calls, and of no secret", async () => {
  await using collector = await startCollector();
  await using there = await serveNode({ p2p: P2P });
  const token = "the-secret-token-of-the-node";
  const tracing = { endpoint: collector.url, headers: ["x-collector-key=the-collectors-key"] };
  await using here = await serveNode({ token, tracing, webrtc: { enabled: true }, p2p: P2P });
  expect((await here.node.status()).parts).toContainEqual(expect.objectContaining({ name: "tracing" }));

  const { cid } = await here.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
  await fetch(`${here.url}/api/v0/stat/${cid}?token=${token}`);
  const request = await collector.span("GET /api/v0/stat/*");
  expect(attributesOf(request)).toMatchObject({
    "http.request.method": "GET",
    "http.route": "/api/v0/stat/*",
  });
  expect(Number(attributesOf(request)["http.response.status_code"])).toBe(200);

  const [traceId, callerSpan] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  const call = (name: string, args: object) =>
    fetch(`${here.url}/mcp`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        traceparent: `00-${traceId}-${callerSpan}-01`,
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name, arguments: args },
      }),
    });
  await call("echo", { message: "the secret of the message" });
  await call("a name that is no tool's", {});
  const post = await collector.span("POST /mcp");
  const echo = await collector.span("tools/call echo");
  expect(post).toMatchObject({ traceId, parentSpanId: callerSpan });
  expect(echo).toMatchObject({ traceId, parentSpanId: post.spanId });
  expect((await collector.span("tools/call unknown")).status.code).toBe(2);

  const more = await there.node.content.add(Readable.from([Buffer.alloc(300_000, 7)]));
  await call("transfer", { cid: more.cid, from: [String(there.node.peer?.multiaddrs[0])] });
  const moved = await collector.span("transfer");
  expect(moved.traceId).toBe(traceId);
  expect(attributesOf(moved)).toMatchObject({
    "cidcast.cid": more.cid,
    "cidcast.transfer": expect.any(String),
  });

  const viewer = new CidcastClient({ url: here.url, token });
  const stream = await viewer.streamContent(cid, {
    createPeerConnection: (configuration: RtcConfiguration) =>
      new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } }),
  });
  const join = await collector.span("viewer join");
  expect(attributesOf(join)).toMatchObject({ "cidcast.cid": cid, "cidcast.connected": true });
  expect(join.status.code ?? 0).toBe(0);
  stream.close();
  viewer.close();

  // Over a socket, of a caller that says which trace it is part of, and of one that does not.
  const { tenants, tokens } = here.node.tenancy!;
  const { id: tenantId } = await tenants.create({ name: "acme" });
  const agent = await tokens.create({ tenantId, scopes: ["basic"], expiresInDays: 1 });
  using mcp = await TestClient.open(`${here.wsUrl}/ws/mcp/?token=${agent.token}&tenant_id=${tenantId}`);
  const otherTrace = "11111111111111111111111111111111";
  const rpc = (id: number, method: string, params: object): void =>
    mcp.ws.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  const clientInfo = { name: "a", version: "1" };
  rpc(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
  const traceparent = `00-${otherTrace}-${callerSpan}-01`;
  rpc(2, "tools/call", {
    name: "calculator",
    arguments: { expression: "1+1" },
    _meta: { traceparent },
  });
  rpc(3, "tools/call", { name: "current_time", arguments: {} });
  rpc(4, "prompts/list", { _meta: { traceparent } });
  expect(await collector.span("tools/call calculator")).toMatchObject({
    traceId: otherTrace,
    parentSpanId: callerSpan,
  });
  expect(await collector.span("prompts/list")).toMatchObject({
    traceId: otherTrace,
    parentSpanId: callerSpan,
  });
  const time = await collector.span("tools/call current_time");
  expect(attributesOf(await collector.span("message /webrtc"))).toEqual({
    "network.protocol.name": "websocket",
    "http.route": "/webrtc",
  });

  await here.node.stop();
  const parent = collector.spans().find(({ spanId }) => spanId === time.parentSpanId);
  expect(parent?.name).toBe("message /ws/mcp/");
  expect(new Set(collector.asked.map(({ url, key }) => `${url} ${String(key)}`))).toEqual(
    new Set(["/v1/traces the-collectors-key"]),
  );
  const all = collector.bodies.join("\n");
  for (const secret of [token, agent.token, "the secret of the message", "no tool's", "the-collectors-key"]) {
    expect(all).not.toContain(secret);
  }
});

test("a collector that is away holds nothing up, and a node without one traces nothing", async () => {
  await using plain = await serveNode();
  expect((await plain.node.status()).parts.map(({ name }) => name)).not.toContain("tracing");
  await using collector = await startCollector();
  const endpoint = collector.url;
  await collector[Symbol.asyncDispose]();
  await using served = await serveNode({ tracing: { endpoint, sampleRatio: 1 } });
  for (let i = 0; i < 20; i++) expect((await fetch(`${served.url}/api/v0/version`)).status).toBe(200);
  await served.node.stop();
  await expect(
    serveNode({ tracing: { endpoint: "http://user:password@127.0.0.1:1" } }),
  ).rejects.toMatchObject({
    code: "INVALID_CONFIG",
  });
});
