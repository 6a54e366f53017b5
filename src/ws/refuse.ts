import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { ErrorBody } from "@cidcast/protocols/errors";
import type { CidcastError } from "../core/index.ts";
import { CLOSE } from "./socket.ts";

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

/** Close code for a token that is good, and may not do this. */
const FORBIDDEN_CODE = 4003;

/**
 * Refuses a token after the handshake, with the reason: a page is not told why a handshake failed, and would try again for
 * ever.
 */
export function refuseAfterHandshake({ code, message }: CidcastError): {
  readonly code: number;
  readonly reason: string;
} {
  return { code: code === "FORBIDDEN" ? FORBIDDEN_CODE : CLOSE.unauthenticated, reason: message };
}
