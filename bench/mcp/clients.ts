import { Agent, request } from "node:http";
import { WebSocket } from "ws";

/** Calls `echo` once and looks at the answer. */
export type Ask = () => Promise<void>;

const MESSAGE = "hello from the benchmark";
const REVISION = "2025-06-18";

const call = (id: number): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name: "echo", arguments: { message: MESSAGE } },
  });
const hello = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: "bench", version: "1" } },
});

interface Caller {
  readonly token?: string | undefined;
  readonly tenantId?: string | undefined;
}

function post(
  url: string,
  body: string,
  init: Caller & { readonly agent?: Agent; readonly revision?: string },
) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const { agent, token, tenantId, revision } = init;
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "content-length": Buffer.byteLength(body),
    ...(revision !== undefined && { "mcp-protocol-version": revision }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(tenantId !== undefined && { "x-tenant-id": tenantId }),
  };
  const sent = request(url, { method: "POST", headers, ...(agent && { agent }) }, response => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", chunk => (text += String(chunk)));
    response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    response.on("error", reject);
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

/** Calls over HTTP, a request each, on connections that are kept. */
export async function openPost(url: string, caller: Caller): Promise<{ ask: Ask; close(): void }> {
  const agent = new Agent({ keepAlive: true });
  let id = 0;
  return {
    async ask() {
      const { status, text } = await post(url, call(++id), { ...caller, agent, revision: REVISION });
      if (status !== 200 || !text.includes(MESSAGE)) throw new Error(`${status} ${text.slice(0, 300)}`);
    },
    close: () => agent.destroy(),
  };
}

/** Begins a session over HTTP that stays. */
export async function initialize(url: string, token: string | undefined): Promise<void> {
  const { status, text } = await post(url, hello, { token });
  if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`);
}

/** A session over a WebSocket. */
export async function openSocket(url: string): Promise<{ ask: Ask; close(): void }> {
  const socket = new WebSocket(url);
  const waiting = new Map<unknown, { resolve(): void; reject(error: Error): void }>();
  socket.on("message", data => {
    const text = (data as Buffer).toString();
    const answer = JSON.parse(text) as { id?: unknown; error?: unknown };
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === undefined) asked?.resolve();
    else asked?.reject(new Error(text));
  });
  const send = (id: number, text: string): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.set(id, { resolve, reject });
    socket.send(text);
    return promise;
  };
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  await send(0, hello);
  let id = 0;
  return { ask: () => send(++id, call(id)), close: () => socket.close() };
}
