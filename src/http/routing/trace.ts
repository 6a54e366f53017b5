import type { FastifyInstance } from "fastify";
import type { Tracer } from "../../core/index.ts";

/**
 * A span for each request, within which it is answered. It is named by the route's pattern: addresses hold CIDs and tokens.
 * Attributes as in OpenTelemetry's semantic conventions for HTTP servers.
 */
export function traceRequests(app: FastifyInstance, tracer: Tracer): void {
  app.addHook("onRequest", (request, reply, done) => {
    const route = request.routeOptions.url ?? "none";
    const { method } = request;
    const parent = request.headers["traceparent"];
    const span = tracer.start(`${method} ${route}`, {
      kind: "server",
      attributes: { "http.request.method": method, "http.route": route },
      ...(typeof parent === "string" && { parent }),
    });
    reply.raw.once("close", () => {
      const status = reply.raw.writableFinished ? reply.raw.statusCode : 499;
      span.set({ "http.response.status_code": status });
      span.end(status >= 500 ? String(status) : undefined);
    });
    tracer.within(span, done);
  });
}
