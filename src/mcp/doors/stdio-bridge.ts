import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { isInitializeRequest } from "@modelcontextprotocol/server";
import { CidcastError, messageOf } from "../../core/index.ts";

export interface StdioBridgeInit {
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** The `/mcp` of a running node. */
  readonly url: string;
  /** Token of a tenant, or of the node; none for the owner on loopback. */
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Joins a pipe to a running node's Streamable HTTP, so that a desktop agent speaks stdio to a node that somebody else has
 * started. Resolves when the input ends.
 */
export async function bridgeStdio(init: StdioBridgeInit): Promise<void> {
  const { stdin, stdout, url, token } = init;
  const ended = new AbortController();
  const signal = init.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, init.signal]);
  let session: string | undefined;
  let revision: string | undefined;
  const headers = (): Record<string, string> => ({
    accept: "application/json, text/event-stream",
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(session !== undefined && { "mcp-session-id": session }),
    ...(revision !== undefined && { "mcp-protocol-version": revision }),
  });
  const write = (text: string): void => {
    stdout.write(`${text}\n`);
  };
  const listen = async (): Promise<void> => {
    const response = await fetch(url, { headers: headers(), signal });
    await relay(response, write);
  };
  const post = async (line: string): Promise<void> => {
    const message: unknown = JSON.parse(line);
    const initializing = isInitializeRequest(message);
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers(), ...modernHeaders(message), "content-type": "application/json" },
      body: line,
      signal,
    });
    session ??= response.headers.get("mcp-session-id") ?? undefined;
    await relay(response, text => {
      if (initializing) revision ??= revisionOf(text);
      write(text);
    });
    // The stream of what the server says unasked, once there is a session.
    if (initializing && session !== undefined) listen().catch(() => undefined);
  };
  const answerFailure = (line: string, error: unknown): void => {
    const id = /"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)/.exec(line)?.[1];
    if (id === undefined || signal.aborted) return;
    const body = { code: -32603, message: `The node at ${url} cannot be reached: ${messageOf(error)}` };
    write(`{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(body)}}`);
  };
  const running = new Set<Promise<void>>();
  try {
    for await (const line of createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.trim() === "") continue;
      const work = post(line).catch((error: unknown) => answerFailure(line, error));
      running.add(work);
      work.finally(() => running.delete(work)).catch(() => undefined);
      // Until there is a session, what comes next may need it.
      if (session === undefined) await work;
    }
    await Promise.all(running);
    if (session !== undefined)
      await fetch(url, { method: "DELETE", headers: headers() }).catch(() => undefined);
  } finally {
    ended.abort();
  }
}

/** Header fields that the newest revision asks for beside the message. */
function modernHeaders(message: unknown): Record<string, string> {
  const { method, params } = message as {
    method?: unknown;
    params?: { name?: unknown; uri?: unknown; _meta?: Record<string, unknown> };
  };
  const revision = params?._meta?.["io.modelcontextprotocol/protocolVersion"];
  if (typeof revision !== "string" || typeof method !== "string") return {};
  const name = params?.name ?? params?.uri;
  return {
    "mcp-protocol-version": revision,
    "mcp-method": method,
    ...(typeof name === "string" && { "mcp-name": name }),
  };
}

function revisionOf(text: string): string | undefined {
  const { result } = JSON.parse(text) as { result?: { protocolVersion?: string } };
  return result?.protocolVersion;
}

/** Writes each message of a response, whether it is one body or a stream of events. */
async function relay(response: Response, write: (text: string) => void): Promise<void> {
  const type = response.headers.get("content-type") ?? "";
  if (response.body === null || response.status === 202) return;
  if (!type.startsWith("text/event-stream")) {
    const text = await response.text();
    if (text === "") return;
    if (!type.startsWith("application/json"))
      throw new CidcastError("NODE_UNREACHABLE", `HTTP ${response.status}`);
    write(JSON.stringify(JSON.parse(text)));
    return;
  }
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split(/\r?\n\r?\n/);
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = Array.from(event.matchAll(/^data: ?(.*)$/gm), match => match[1]).join("\n");
      if (data !== "") write(data);
    }
  }
}
