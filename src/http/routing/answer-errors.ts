import type { Socket } from "node:net";
import { STATUS_CODES } from "node:http";
import { errorInfo } from "@cidcast/protocols/errors";
import type { FastifyInstance } from "fastify";
import { CidcastError, type Logger } from "../../core/index.ts";
import type { RegisteredRoute } from "../types.ts";
import { errorBodyOf, fromHttpError, sendError } from "./errors.ts";
import { methodsOf } from "./methods.ts";
import { pathOf } from "./request.ts";

/** Gives every failure, wherever it comes from, the one form of errors. */
export function answerErrors(
  app: FastifyInstance,
  init: { readonly routes: () => readonly RegisteredRoute[]; readonly log: Logger; readonly reveal: boolean },
): void {
  const { routes, log, reveal } = init;
  app.setErrorHandler((thrown, request, reply) => {
    const error = fromHttpError(thrown);
    if (error.code === "INTERNAL") {
      log.error({ err: thrown, method: request.method, path: pathOf(request) }, "request failed");
    } else if (error.status >= 500 && error.code !== "ABORTED") {
      log.warn({ err: error, method: request.method, path: pathOf(request) }, "request failed");
    }
    // The rest of an unread body would be taken for the next request.
    if (!request.raw.complete) reply.header("connection", "close");
    return sendError(reply, error, reveal);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const methods = methodsOf(routes(), path);
    if (!request.raw.complete) reply.header("connection", "close");
    if (methods.length === 0) {
      return sendError(reply, new CidcastError("NOT_FOUND", `There is nothing at ${path.slice(0, 200)}`));
    }
    reply.header("allow", methods.join(", "));
    return sendError(
      reply,
      new CidcastError("METHOD_NOT_ALLOWED", `${path.slice(0, 200)} takes ${methods.join(", ")}`),
    );
  });
}

/** Answers what is not even HTTP, or does not arrive: there is no request object then, only a socket. */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) {
    socket.destroy();
    return;
  }
  const { status } = errorInfo(malformed(error).code);
  const body = JSON.stringify(errorBodyOf(malformed(error)));
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}

function malformed(error: NodeJS.ErrnoException): CidcastError {
  if (error.code === "HPE_HEADER_OVERFLOW") {
    return new CidcastError("HEADERS_TOO_LARGE", "The header fields are larger than the limit");
  }
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new CidcastError("REQUEST_TIMEOUT", "The request's header did not arrive in time");
  }
  return new CidcastError("INVALID_REQUEST", "This is not HTTP");
}
