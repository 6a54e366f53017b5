import { controlQualityBody, controlStreamBody } from "@cidcast/protocols/node-api/control";
import { sessionParams } from "@cidcast/protocols/whep";
import type { FastifyInstance } from "fastify";
import { CidcastError } from "../../core/index.ts";
import type { StreamingSession } from "../../webrtc/index.ts";
import type { ApiComponents } from "../api/types.ts";
import { findWithin } from "../gateway/ref.ts";
import { MAX_CONTROL_STREAMS } from "../limits.ts";
import { route } from "../routing/route.ts";
import { benchmarkRoutes } from "./benchmark-routes.ts";
import { dashboardRoutes } from "./dashboard-routes.ts";
import { ipfsRoutes } from "./ipfs-routes.ts";
import { createControlStreams } from "./streams.ts";
import { connectionBody, managerOf } from "./viewers.ts";

const PREFIX = "/api/v0/mcp/webrtc";
/** How much longer than any content a media file may take to be looked into. */
const PROBE_TIMEOUT_FACTOR = 4;

/** The control plane that existing tools of this family use (protocols/node-api/v1/spec.md, Control). */
export function controlRoutes(app: FastifyInstance, components: ApiComponents): void {
  streamRoutes(app, components);
  connectionRoutes(app, components);
  benchmarkRoutes(app, components);
  ipfsRoutes(app, components);
  dashboardRoutes(app, components);
}

function streamRoutes(app: FastifyInstance, components: ApiComponents): void {
  const { webrtc, webrtcMissing, limits, media, http } = components;
  const streams = createControlStreams();
  route(app, {
    method: "GET",
    url: `${PREFIX}/check`,
    action: "node:status",
    summary: "Control: whether WebRTC is there",
    handler: async () => ({
      success: true,
      webrtc_available: webrtc !== undefined,
      dependencies: { webrtc: webrtc !== undefined, media: media !== undefined },
      installation_command: webrtc === undefined ? `WebRTC is not available: ${webrtcMissing ?? "off"}` : "",
    }),
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/stream`,
    action: "node:admin",
    body: controlStreamBody,
    summary: "Control: makes sure that content plays, and tells where",
    handler: async ({ body, signal, request, reply }) => {
      managerOf(components);
      if (media === undefined)
        throw new CidcastError("FEATURE_DISABLED", "Media is switched off on this node");
      const ref = { cid: body.cid, path: "", slash: false, ref: body.cid };
      await findWithin(limits.findTimeoutMs * PROBE_TIMEOUT_FACTOR, ref, { signal }, inner =>
        media.probe(body.cid, { signal: inner }),
      );
      const stream = streams.add(body.cid);
      if (stream === undefined) {
        http.refused.add(1, { reason: "control_streams" });
        const error = `There are ${MAX_CONTROL_STREAMS} streams: stop one`;
        return reply.code(429).send({ success: false, error, error_type: "resource_limit" });
      }
      const url = `${request.protocol}://${request.headers.host ?? "localhost"}/play/${encodeURIComponent(body.cid)}`;
      return { success: true, server_id: stream.id, url, cid: body.cid, quality: body.quality };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/stream/stop/:id`,
    action: "node:admin",
    params: sessionParams,
    summary: "Control: ends a stream, and its viewers when nobody else streams the same content",
    handler: async ({ params: { id } }) => {
      const stream = streams.remove(id);
      if (stream === undefined) throw new CidcastError("SESSION_NOT_FOUND", `There is no stream ${id}`);
      const viewers = streams.has(stream.cid)
        ? []
        : managerOf(components)
            .sessions()
            .filter(session => session.cid === stream.cid);
      await Promise.all(viewers.map(session => session.close("the stream was stopped")));
      return { success: true, server_id: id, connections_closed: viewers.length };
    },
  });
  route(app, {
    method: "GET",
    url: `${PREFIX}/stats/resources`,
    action: "node:admin",
    summary: "Control: what all viewers together use",
    handler: async () => ({ success: true, resources: await managerOf(components).globalMetrics() }),
  });
}

function connectionRoutes(app: FastifyInstance, components: ApiComponents): void {
  const sessionOf = (id: string): StreamingSession => {
    const session = managerOf(components).session(id);
    if (session === undefined) throw new CidcastError("SESSION_NOT_FOUND", `There is no connection ${id}`);
    return session;
  };
  const at = { action: "node:admin", params: sessionParams } as const;
  route(app, {
    method: "GET",
    url: `${PREFIX}/connections`,
    action: "node:admin",
    summary: "Control: viewers",
    handler: async () => {
      // One that ends while it is asked is not there any more.
      const settled = await Promise.allSettled(managerOf(components).sessions().map(connectionBody));
      const connections = settled.flatMap(result => (result.status === "fulfilled" ? [result.value] : []));
      return { success: true, connections };
    },
  });
  route(app, {
    ...at,
    method: "GET",
    url: `${PREFIX}/connections/:id/stats`,
    summary: "Control: figures of a viewer",
    handler: async ({ params }) => ({ success: true, stats: statsBody(await sessionOf(params.id).stats()) }),
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/connections/quality`,
    action: "node:admin",
    body: controlQualityBody,
    summary: "Control: sets a viewer's quality",
    handler: async ({ body }) => {
      const session = sessionOf(body.connection_id);
      const { quality: previous } = await session.stats();
      const { success, reason } = await session.setQuality(body.quality);
      const told = { connection_id: session.id, quality: body.quality, previous_quality: previous };
      return { success, ...told, ...(reason !== undefined && { error: reason }) };
    },
  });
  route(app, {
    ...at,
    method: "POST",
    url: `${PREFIX}/connections/:id/close`,
    summary: "Control: ends a viewer",
    handler: async ({ params }) => {
      await sessionOf(params.id).close("closed over the control plane");
      return { success: true, connection_id: params.id };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/connections/close-all`,
    action: "node:admin",
    summary: "Control: ends all viewers",
    handler: async () => {
      const sessions = managerOf(components).sessions();
      await Promise.all(sessions.map(session => session.close("closed over the control plane")));
      return { success: true, connections_closed: sessions.length, closed_count: sessions.length };
    },
  });
}

/** A session's figures under the names of this plane: loss as a share, times in milliseconds. */
function statsBody(stats: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const loss = stats["packet_loss"];
  return {
    ...stats,
    bandwidth: stats["bandwidth_estimate"],
    latency: stats["rtt"],
    packet_loss: typeof loss === "number" ? loss / 100 : loss,
  };
}
