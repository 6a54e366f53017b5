import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import type { Principal } from "../../core/index.ts";
import { type McpSocket, openSocket, type SocketComponents } from "./socket.ts";

export interface StdioInit {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly principal: Principal;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Serves MCP on a pipe, one message per line, until the input ends or the signal aborts. Requests that run when the input
 * ends are still answered.
 */
export async function serveStdioDoor(components: SocketComponents, init: StdioInit): Promise<void> {
  const { stdin, stdout, principal, signal } = init;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let inputEnded = false;
  const socket: McpSocket = openSocket(components, {
    carrier: "stdio",
    door: "cli",
    principal,
    send: text => stdout.write(`${text}\n`),
    close: () => end(),
  });
  await socket.ready;
  const stop = (): void => end();
  signal?.addEventListener("abort", stop, { once: true });
  stdout.on("error", stop);
  // readline keeps a line whole in memory: one without an end is cut off here.
  let lineBytes = 0;
  stdin.on("data", (chunk: Buffer | string) => {
    const text = typeof chunk === "string" ? chunk : chunk.toString("latin1");
    const newline = text.lastIndexOf("\n");
    lineBytes = newline === -1 ? lineBytes + text.length : text.length - newline - 1;
    if (lineBytes > MAX_MESSAGE_BYTES) end();
  });
  const lines = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", line => {
    if (line.trim() !== "") socket.receive(line);
  });
  lines.on("close", () => {
    inputEnded = true;
    socket.idle().then(end, end);
  });
  try {
    await ended;
  } finally {
    signal?.removeEventListener("abort", stop);
    stdout.off("error", stop);
    socket.close();
    if (!inputEnded) lines.close();
  }
}
