import type { FastifyReply, FastifyRequest } from "fastify";
import { CidcastError } from "../../core/index.ts";

/** Path of a request, without its query: what may be logged. */
export function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0] ?? "";
}

/** A signal that aborts when the client goes away before its answer is complete. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) {
      controller.abort(new CidcastError("ABORTED", "The client went away"));
    }
  });
  if (reply.raw.destroyed) controller.abort(new CidcastError("ABORTED", "The client went away"));
  return controller.signal;
}
