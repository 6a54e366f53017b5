import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { eventsQuery } from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { CidcastError } from "../../core/index.ts";
import { EVENT_HEARTBEAT_MS } from "../limits.ts";
import { takeOver } from "../routing/mounted.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** Says nothing, and keeps the connection from looking idle. */
const HEARTBEAT = ": heartbeat\n\n";

/** `GET /api/v0/events`: what happens, as server-sent events. */
export function eventRoutes(app: FastifyInstance, components: ApiComponents): void {
  const { events, limits, http, stopping, tenants } = components;
  let streams = 0;
  route(app, {
    method: "GET",
    url: "/api/v0/events",
    action: "events:subscribe",
    endsItself: true,
    query: eventsQuery,
    summary: "What happens, as server-sent events; `Last-Event-ID` goes on where a lost connection ended",
    handler: async ({ query, principal, signal, request, reply }) => {
      if (events === undefined)
        throw new CidcastError("FEATURE_DISABLED", "There are no events on this node");
      if (request.method === "HEAD") return reply.type("text/event-stream").send("");
      if (streams >= limits.maxEventStreams) {
        http.refused.add(1, { reason: "event_streams" });
        throw new CidcastError("BUSY", `${streams} event streams are open`, { retryAfterSeconds: 5 });
      }
      const header = request.headers["last-event-id"];
      const revoked = new AbortController();
      const unwatch = tenants?.watch(principal, () => revoked.abort());
      const ended = AbortSignal.any([signal, stopping, revoked.signal]);
      const chunks = events.sse(principal, {
        types: query.types ?? [],
        filter: query.filter,
        lastEventId: (typeof header === "string" ? header : undefined) ?? query["last-event-id"],
        signal: ended,
      });
      const raw = takeOver(reply);
      streams += 1;
      try {
        writeHead(raw);
        await stream(chunks, raw);
      } catch (error) {
        // The client went away or the node stops: there is nobody to tell.
        if (!ended.aborted) throw error;
      } finally {
        streams -= 1;
        unwatch?.();
        raw.end();
      }
      return undefined;
    },
  });
}

function writeHead(raw: ServerResponse): void {
  raw.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    // A proxy that gathers would hold events back.
    "x-accel-buffering": "no",
  });
}

/** Writes as fast as the client reads: nothing is pulled while the last chunk is still on its way. */
async function stream(chunks: AsyncIterable<string>, raw: ServerResponse): Promise<void> {
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(HEARTBEAT);
  }, EVENT_HEARTBEAT_MS);
  try {
    for await (const chunk of chunks) {
      if (raw.destroyed) return;
      if (!raw.write(chunk)) await Promise.race([once(raw, "drain"), once(raw, "close")]);
    }
  } finally {
    clearInterval(heartbeat);
  }
}
