/** Calls of `echo` per second and p99, per door, beside the SDK's bare server without authorisation. See README.md. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import {
  createMcpHandler,
  McpServer,
  type JSONRPCMessage,
  type Transport,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import { sendWebResponse, webRequest } from "../../src/mcp/doors/node-http.ts";
import { ANONYMOUS, startTestMcp } from "../../src/mcp/testing.ts";

const SECONDS = Number(process.argv[2] ?? 3);
const CONCURRENCY = 8;
const MESSAGE = "hello from the benchmark";

type Ask = (id: number) => Promise<unknown>;
const message = (id: number) =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name: "echo", arguments: { message: MESSAGE } },
  });
const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1" } },
});

async function measure(name: string, ask: Ask): Promise<void> {
  let next = 1;
  const times: number[] = [];
  const loop = async (untilMs: number, keep: boolean): Promise<void> => {
    while (performance.now() < untilMs) {
      const startedMs = performance.now();
      await ask(next++);
      if (keep) times.push(performance.now() - startedMs);
    }
  };
  const all = (seconds: number, keep: boolean) =>
    Promise.all(Array.from({ length: CONCURRENCY }, () => loop(performance.now() + seconds * 1000, keep)));
  await all(SECONDS / 3, false);
  const cpu = process.cpuUsage();
  await all(SECONDS, true);
  const used = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
  const perCall = (used.user + used.system) / times.length;
  console.log(
    `${name.padEnd(44)} ${String(Math.round(times.length / SECONDS)).padStart(7)} calls/s  p99 ${p99.toFixed(2).padStart(6)} ms  ${perCall.toFixed(0).padStart(5)} µs CPU per call, client included`,
  );
}

/** Answers by id, for doors that carry frames. */
function frames(send: (text: string) => void): {
  readonly ask: Ask;
  readonly receive: (text: string) => void;
} {
  const waiting = new Map<unknown, (value: unknown) => void>();
  return {
    ask: id => {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      waiting.set(id, resolve);
      send(id === 0 ? initialize : message(id));
      return promise;
    },
    receive(text) {
      const answer = JSON.parse(text) as { id?: unknown; error?: unknown };
      if (answer.error !== undefined) throw new Error(text);
      waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id);
    },
  };
}

function post(url: string, headers: Record<string, string>): Ask {
  const fixed = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2025-06-18",
    ...headers,
  };
  return async id => {
    const response = await fetch(url, { method: "POST", headers: fixed, body: message(id) });
    const text = await response.text();
    if (response.status !== 200 || !text.includes(MESSAGE)) throw new Error(`${response.status} ${text}`);
  };
}

const bare = (): McpServer => {
  const server = new McpServer({ name: "bare", version: "1" });
  server.registerTool("echo", { inputSchema: z.object({ message: z.string() }) }, async args => ({
    content: [{ type: "text", text: args.message }],
  }));
  return server;
};

await using s = await startTestMcp();
const { token, tenantId } = await s.t.tenant("bench", []);
await s.t.tenancy.tenants.setQuotas(tenantId, { requests_per_minute: 1_000_000 });
// The quota's clock stands still in a test: it is filled up from here.
const refill = setInterval(() => s.t.clock.advance(1000), 20);
const handler = createMcpHandler(bare, { legacy: "stateless" });
const http = createServer((request, response) => {
  const web = webRequest(request, response);
  const work =
    request.url === "/bare"
      ? handler.fetch(web).then(answer => sendWebResponse(answer, response))
      : request.url === "/json"
        ? bareJson(web).then(answer => sendWebResponse(answer, response))
        : s.mcp.serveHttp(request, response, ANONYMOUS);
  work.catch(() => response.destroy());
});
async function bareJson(request: Request): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  const server = bare();
  await server.connect(transport);
  try {
    return await transport.handleRequest(request);
  } finally {
    await server.close();
  }
}
const wss = new WebSocketServer({ server: http });
wss.on("connection", (socket, request) => {
  if (request.url?.startsWith("/bare") === true) {
    const transport: Transport = {
      start: async () => {},
      send: async sent => socket.send(JSON.stringify(sent)),
      close: async () => {},
    };
    socket.on("message", data =>
      transport.onmessage?.(JSON.parse((data as Buffer).toString()) as JSONRPCMessage),
    );
    if (request.url === "/bare") bare().connect(transport).catch(console.error);
    else serveStdio(bare, { transport });
    return;
  }
  const mcp = s.mcp.connect({
    carrier: "websocket",
    door: "ws",
    token,
    tenantId,
    send: text => socket.send(text),
    close: (code, reason) => socket.close(code, reason),
  });
  socket.on("message", data => mcp.receive((data as Buffer).toString()));
});
await new Promise<void>(resolve => http.listen(0, "127.0.0.1", resolve));
const at = `127.0.0.1:${(http.address() as AddressInfo).port}`;

for (const [name, path] of [
  ["WebSocket, SDK bare, one era", "/bare"],
  ["WebSocket, SDK bare, both eras", "/bare-both"],
  ["WebSocket, cidcast", "/ws"],
] as const) {
  const socket = new WebSocket(`ws://${at}${path}`);
  await new Promise(resolve => socket.once("open", resolve));
  const { ask, receive } = frames(text => socket.send(text));
  socket.on("message", data => receive((data as Buffer).toString()));
  await ask(0);
  await measure(name, ask);
  socket.close();
}
await measure("Streamable HTTP, SDK bare, SSE answers", post(`http://${at}/bare`, {}));
await measure("Streamable HTTP, SDK bare, JSON answers", post(`http://${at}/json`, {}));
await measure("Streamable HTTP, cidcast", post(`http://${at}/mcp`, { authorization: `Bearer ${token}` }));
await measure("POST /api/mcp/rpc/, cidcast, without sockets", async id => {
  const headers = { authorization: `Bearer ${token}`, "x-tenant-id": tenantId };
  await s.request("POST", "/api/mcp/rpc/", { headers, body: message(id) });
});
{
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const principal = await s.t.tenancy.resolveToken(token, { door: "cli" });
  const served = s.mcp.serveStdio({ stdin, stdout, principal });
  const { ask, receive } = frames(text => stdin.write(`${text}\n`));
  let rest = "";
  stdout.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) receive(line);
  });
  await ask(0);
  await measure("stdio (pipes inside the process), cidcast", ask);
  stdin.end();
  await served;
}
clearInterval(refill);
http.closeAllConnections();
http.close();
wss.close();
await handler.close();
