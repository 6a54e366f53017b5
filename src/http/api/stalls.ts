import { stallReport, stallReports } from "@cidcast/protocols/node-api/stalls";
import { sessionParams } from "@cidcast/protocols/whep";
import type { FastifyInstance } from "fastify";
import { CidcastError } from "../../core/index.ts";
import type { WebRTCStreamingManager } from "../../webrtc/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

const URL = "/api/v0/why-stalled";

/** Why viewers do not see what they should. */
export function stallRoutes(app: FastifyInstance, { webrtc, webrtcMissing }: ApiComponents): void {
  const manager = (): WebRTCStreamingManager => {
    if (webrtc !== undefined) return webrtc;
    throw new CidcastError("FEATURE_DISABLED", `WebRTC is not available: ${webrtcMissing ?? "it is off"}`);
  };
  route(app, {
    method: "GET",
    url: URL,
    action: "node:admin",
    answer: stallReports,
    summary: "What holds each viewer up, in one line, and what happened",
    handler: async () => {
      const asked = manager()
        .sessions()
        .map(session => session.whyStalled());
      // One that ends while it is asked is not there any more.
      const settled = await Promise.allSettled(asked);
      const sessions = settled.flatMap(result => (result.status === "fulfilled" ? [result.value] : []));
      return { sessions: sessions.map(session => ({ ...session, timeline: [...session.timeline] })) };
    },
  });
  route(app, {
    method: "GET",
    url: `${URL}/:id`,
    action: "node:admin",
    params: sessionParams,
    answer: stallReport,
    summary: "What holds a viewer up, in one line, and what happened",
    handler: async ({ params: { id } }) => {
      const report = await manager().whyStalled(id);
      return { ...report, timeline: [...report.timeline] };
    },
  });
}
