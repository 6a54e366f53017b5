import { readyResult } from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** For those who look after the node: alive, ready, and figures. */
export function healthRoutes(app: FastifyInstance, { status, renderMetrics }: ApiComponents): void {
  route(app, {
    method: "GET",
    url: "/healthz",
    action: "node:health",
    summary: "Answers while the process is alive",
    handler: async ({ reply }) => reply.header("cache-control", "no-store").send({ ok: true }),
  });
  route(app, {
    method: "GET",
    url: "/readyz",
    action: "node:health",
    answer: readyResult,
    summary: "200 when every required part works, else 503; tells which parts are off and why",
    handler: async ({ reply }) => {
      const { parts } = await status();
      const ready = parts.every(part => part.state === "ready" || !part.required);
      return reply
        .code(ready ? 200 : 503)
        .header("cache-control", "no-store")
        .send({ ready, parts });
    },
  });
  route(app, {
    method: "GET",
    url: "/metrics",
    action: "node:metrics",
    handler: async ({ reply }) => {
      const { contentType, text } = await renderMetrics();
      return reply.header("cache-control", "no-store").type(contentType).send(text);
    },
  });
}
