import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { ErrorBody } from "@cidcast/protocols/errors";
import type { CidcastError } from "../core/index.ts";

/** What an unexpected error says to callers. */
const INTERNAL_MESSAGE = "Something failed that should not have; the node's log has the cause";

/** Answers an upgrade with an error instead of a WebSocket, and hangs up. */
export function refuseUpgrade(socket: Duplex, error: CidcastError): void {
  const { code, status, retryAfterSeconds } = error;
  const body: ErrorBody = {
    error: {
      code,
      message: code === "INTERNAL" ? INTERNAL_MESSAGE : error.message,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    },
  };
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterSeconds)}`]),
    ...(code === "UNAUTHENTICATED" ? ['WWW-Authenticate: Bearer realm="cidcast"'] : []),
  ];
  socket.once("finish", () => socket.destroy());
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}
