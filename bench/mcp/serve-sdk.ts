/** The SDK's own server with one tool and no authorisation: Streamable HTTP in JSON at `/`, WebSocket beside it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node";
import { type JSONRPCMessage, McpServer, type Transport } from "@modelcontextprotocol/server";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { answerQuestions } from "./serve.ts";

const inputSchema = z.object({ message: z.string() });

function bare(): McpServer {
  const server = new McpServer({ name: "bare", version: "1" });
  server.registerTool("echo", { inputSchema }, async args => ({
    content: [{ type: "text", text: args.message }],
  }));
  return server;
}

const http = createServer((request, response) => {
  const work = async (): Promise<void> => {
    const transport = new NodeStreamableHTTPServerTransport({ enableJsonResponse: true });
    const server = bare();
    response.once("close", () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(request, response);
  };
  work().catch(() => response.destroy());
});
new WebSocketServer({ server: http }).on("connection", socket => {
  const transport: Transport = {
    start: async () => {},
    send: async sent => socket.send(JSON.stringify(sent)),
    close: async () => {},
  };
  socket.on("message", data =>
    transport.onmessage?.(JSON.parse((data as Buffer).toString()) as JSONRPCMessage),
  );
  bare().connect(transport).catch(console.error);
});
await new Promise<void>(resolve => http.listen(0, "127.0.0.1", resolve));
const { port } = http.address() as AddressInfo;
answerQuestions({ http: `http://127.0.0.1:${port}/`, ws: `ws://127.0.0.1:${port}/` }, async () => {
  http.closeAllConnections();
});
