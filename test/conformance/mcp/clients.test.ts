import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { ReadBuffer, serializeMessage } from "@modelcontextprotocol/sdk/shared/stdio.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { bridgeStdio } from "../../../src/mcp/index.ts";
import { ANONYMOUS, startTestMcp, type TestMcp } from "../../../src/mcp/testing.ts";
import { serveHttp } from "./server.ts";

/** Clients of both generations of the SDK, over real sockets. */
describe("SDK clients", () => {
  let s: TestMcp;
  let url: string;
  let who: { readonly token: string; readonly tenantId: string; readonly tokenId: string };
  const http = createServer((request, response) => {
    serveHttp(s.mcp, request, response, ANONYMOUS).catch(() => response.destroy());
  });
  const sockets = new WebSocketServer({ server: http, path: "/ws/mcp/" });
  sockets.on("connection", (socket, request) => {
    const query = new URL(request.url ?? "", "http://localhost").searchParams;
    const mcp = s.mcp.connect({
      carrier: "websocket",
      door: "ws",
      token: query.get("token") ?? undefined,
      tenantId: query.get("tenant_id") ?? undefined,
      remoteAddress: request.socket.remoteAddress,
      send: text => socket.send(text),
      close: (code, reason) => socket.close(code, reason),
    });
    socket.on("message", data => mcp.receive((data as Buffer).toString()));
    socket.on("close", () => mcp.close());
  });

  beforeEach(async () => {
    s = await startTestMcp();
    who = await s.t.tenant("A", ["basic"]);
    await new Promise<void>(resolve => http.listen(0, "127.0.0.1", resolve));
    url = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    for (const socket of sockets.clients) socket.terminate();
    http.closeAllConnections();
    await new Promise(resolve => http.close(resolve));
    await s[Symbol.asyncDispose]();
  });
  const authorised = () => ({ requestInit: { headers: { authorization: `Bearer ${who.token}` } } });

  const oldTransports: Record<string, () => Transport> = {
    "Streamable HTTP": () => new StreamableHTTPClientTransport(new URL(`http://${url}/mcp`), authorised()),
    WebSocket: () =>
      new WebSocketClientTransport(
        new URL(`ws://${url}/ws/mcp/?token=${who.token}&tenant_id=${who.tenantId}`),
      ),
    "a pipe bridged to HTTP": () => bridged(`http://${url}/mcp`, who.token),
  };

  test.each(Object.entries(oldTransports))("the first SDK's client over %s", async (_, transport) => {
    const client = new Client({ name: "test", version: "1" });
    await client.connect(transport());
    expect(client.getServerVersion()).toMatchObject({ name: "cidcast" });
    const { tools } = await client.listTools();
    expect(tools.map(tool => tool.name)).toEqual(["echo", "current_time", "calculator"]);
    const sum = await client.callTool({ name: "calculator", arguments: { expression: "6*7" } });
    expect(sum).toMatchObject({ structuredContent: { result: 42 } });
    await expect(client.callTool({ name: "system_info", arguments: {} })).rejects.toMatchObject({
      code: -32403,
    });
    await client.close();
  });

  test.each([["auto"], ["legacy"]] as const)(
    "the second SDK's client over Streamable HTTP, era %s",
    async mode => {
      const client = new ModernClient(
        { name: "test", version: "1" },
        mode === "auto" ? { versionNegotiation: { mode: "auto" } } : {},
      );
      await client.connect(new ModernHttp(new URL(`http://${url}/mcp`), authorised()));
      expect(client.getNegotiatedProtocolVersion()).toBe(mode === "auto" ? "2026-07-28" : "2025-11-25");
      expect((await client.listTools()).tools).toHaveLength(3);
      const sum = await client.callTool({ name: "calculator", arguments: { expression: "6*7" } });
      expect(sum).toMatchObject({ structuredContent: { result: 42 } });
      await client.close();
    },
  );

  test("a revoked token closes the client's WebSocket with 4001 and the reason", async () => {
    const socket = new WebSocket(`ws://${url}/ws/mcp/?token=${who.token}&tenant_id=${who.tenantId}`);
    const closed = new Promise<CloseEvent>(resolve =>
      socket.addEventListener("close", resolve, { once: true }),
    );
    await new Promise(resolve => socket.addEventListener("open", resolve, { once: true }));
    await s.t.tenancy.revokeToken(who.tokenId);
    expect(await closed).toMatchObject({ code: 4001, reason: "Invalid or expired token" });
  });
});

/** A client's end of a pipe whose other end is bridged. */
function bridged(url: string, token: string): Transport {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const buffer = new ReadBuffer();
  const transport: Transport = {
    async start() {
      stdout.on("data", (chunk: Buffer) => {
        buffer.append(chunk);
        for (let message = buffer.readMessage(); message !== null; message = buffer.readMessage()) {
          transport.onmessage?.(message);
        }
      });
      bridgeStdio({ stdin, stdout, url, token }).then(
        () => transport.onclose?.(),
        (error: Error) => transport.onerror?.(error),
      );
    },
    async send(message) {
      stdin.write(serializeMessage(message));
    },
    async close() {
      stdin.end();
    },
  };
  return transport;
}
