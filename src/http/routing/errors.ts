import { type ErrorBody, type ErrorCode, errorInfo } from "@cidcast/protocols/errors";
import type { FastifyError, FastifyReply } from "fastify";
import { CidcastError, toCidcastError } from "../../core/index.ts";

/** What an unexpected error says to callers. */
const INTERNAL_MESSAGE = "Something failed that should not have; the node's log has the cause";

/** Errors of the HTTP library itself, by their code. */
const LIBRARY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
  FST_REQ_FILE_TOO_LARGE: "PAYLOAD_TOO_LARGE",
  FST_PARTS_LIMIT: "PAYLOAD_TOO_LARGE",
  FST_FILES_LIMIT: "PAYLOAD_TOO_LARGE",
  FST_FIELDS_LIMIT: "PAYLOAD_TOO_LARGE",
};

/** Makes anything a handler or the HTTP library threw one of ours. */
export function fromHttpError(error: unknown): CidcastError {
  if (error instanceof CidcastError) return error;
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const known = LIBRARY_CODES[error.code];
    if (known !== undefined) return new CidcastError(known, error.message, { cause: error });
    const status = (error as FastifyError).statusCode ?? 500;
    if (error.code.startsWith("FST_") && status < 500) {
      return new CidcastError("INVALID_REQUEST", error.message, { cause: error });
    }
  }
  return toCidcastError(error);
}

/** The JSON body of an error. Messages of unexpected errors stay here unless `reveal` is set. */
export function errorBodyOf(error: CidcastError, reveal = false): ErrorBody {
  const hidden = error.code === "INTERNAL" && !reveal;
  return {
    error: {
      code: error.code,
      message: hidden ? INTERNAL_MESSAGE : error.message,
      ...(!hidden && error.details !== undefined && { details: error.details }),
      ...(reveal && error.code === "INTERNAL" && { details: { stack: error.stack } }),
      ...(error.retryAfterSeconds !== undefined && { retryAfterSeconds: error.retryAfterSeconds }),
    },
  };
}

/** Answers with an error: never cached, whatever the route had set before. */
export function sendError(reply: FastifyReply, error: CidcastError, reveal = false): FastifyReply {
  for (const header of ["etag", "content-disposition", "content-range", "content-length", "accept-ranges"]) {
    if (error.code !== "RANGE_NOT_SATISFIABLE" || header !== "content-range") reply.removeHeader(header);
  }
  reply
    .code(errorInfo(error.code).status)
    .header("cache-control", "no-store")
    .header("content-type", "application/json; charset=utf-8");
  if (error.code === "UNAUTHENTICATED") reply.header("www-authenticate", 'Bearer realm="cidcast"');
  if (error.retryAfterSeconds !== undefined) {
    reply.header("retry-after", String(Math.ceil(error.retryAfterSeconds)));
  }
  return reply.send(JSON.stringify(errorBodyOf(error, reveal)));
}
