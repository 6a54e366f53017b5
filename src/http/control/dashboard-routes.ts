import {
  dashboardPlayerQuery,
  dashboardQualityBody,
  dashboardStreamBody,
} from "@cidcast/protocols/node-api/control";
import { sessionParams } from "@cidcast/protocols/whep";
import type { FastifyInstance } from "fastify";
import { CidcastError } from "../../core/index.ts";
import type { StreamingSession } from "../../webrtc/index.ts";
import type { ApiComponents } from "../api/types.ts";
import { MAX_CONTROL_OPERATIONS } from "../limits.ts";
import { route } from "../routing/route.ts";
import { connectionBody, managerOf } from "./viewers.ts";

const PREFIX = "/api/v0/webrtc";
const ADMIN = "node:admin" as const;

/** What was done over the dashboard. */
interface Operation {
  readonly operation: string;
  readonly connection_id: string | null;
  readonly timestamp: number;
}

/** Levels from a quality of 0 to 100, worst first: up to that figure. */
const LEVELS = [
  [20, "very_low"],
  [40, "low"],
  [60, "medium"],
  [85, "high"],
  [100, "very_high"],
] as const;

/** What dashboards of this family ask for. Their pages are the node's own. */
export function dashboardRoutes(app: FastifyInstance, components: ApiComponents): void {
  const operations: Operation[] = [];
  const note = (operation: string, id?: string): void => {
    operations.push({ operation, connection_id: id ?? null, timestamp: Date.now() / 1000 });
    if (operations.length > MAX_CONTROL_OPERATIONS) operations.shift();
  };
  pageRoutes(app);
  viewRoutes(app, components, operations);
  actionRoutes(app, components, note);
}

function pageRoutes(app: FastifyInstance): void {
  route(app, {
    method: "GET",
    url: `${PREFIX}/dashboard`,
    action: "pages:read",
    summary: "Dashboard: leads to the node's console",
    handler: async ({ reply }) => reply.redirect("/console"),
  });
  route(app, {
    method: "GET",
    url: `${PREFIX}/player`,
    action: "pages:read",
    query: dashboardPlayerQuery,
    summary: "Dashboard: leads to the player",
    handler: async ({ query, reply }) =>
      reply.redirect(
        query.content_cid === undefined ? "/" : `/play/${encodeURIComponent(query.content_cid)}`,
      ),
  });
}

function viewRoutes(app: FastifyInstance, components: ApiComponents, operations: readonly Operation[]): void {
  route(app, {
    method: "GET",
    url: `${PREFIX}/connections`,
    action: ADMIN,
    summary: "Dashboard: viewers",
    handler: async () => {
      const settled = await Promise.allSettled(managerOf(components).sessions().map(connectionBody));
      const connections = settled.flatMap(result => (result.status === "fulfilled" ? [result.value] : []));
      return { success: true, connections, count: connections.length };
    },
  });
  route(app, {
    method: "GET",
    url: `${PREFIX}/connection/:id`,
    action: ADMIN,
    params: sessionParams,
    summary: "Dashboard: one viewer with its figures",
    handler: async ({ params }) => {
      const session = sessionOf(components, params.id);
      const stats = await session.stats();
      return { success: true, connection: { ...(await connectionBody(session)), stats } };
    },
  });
  route(app, {
    method: "GET",
    url: `${PREFIX}/operations`,
    action: ADMIN,
    summary: "Dashboard: what was done last",
    handler: async () => ({ success: true, operations: operations.toReversed() }),
  });
  route(app, {
    method: "GET",
    url: `${PREFIX}/tasks`,
    action: ADMIN,
    summary: "Dashboard: jobs that prepare media",
    handler: async ({ principal }) => {
      const tasks = (await components.prepareFor?.(principal).jobs()) ?? [];
      return { success: true, tasks, count: tasks.length };
    },
  });
}

function actionRoutes(
  app: FastifyInstance,
  components: ApiComponents,
  note: (operation: string, id?: string) => void,
): void {
  const playAt = (cid: string): string => `/play/${encodeURIComponent(cid)}`;
  route(app, {
    method: "POST",
    url: `${PREFIX}/test_connection`,
    action: ADMIN,
    summary: "Dashboard: whether viewers can connect",
    handler: async () => {
      const { length } = managerOf(components).sessions();
      return { success: true, connection_id: null, message: `WebRTC is there, with ${length} viewers` };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/stream`,
    action: ADMIN,
    body: dashboardStreamBody,
    summary: "Dashboard: where content plays",
    handler: async ({ body }) => {
      managerOf(components);
      note("stream");
      const url = playAt(body.cid);
      return { success: true, connection_id: null, url, message: `It plays at ${url}` };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/close/:id`,
    action: ADMIN,
    params: sessionParams,
    summary: "Dashboard: ends a viewer",
    handler: async ({ params: { id } }) => {
      await sessionOf(components, id).close("closed over the dashboard");
      note("close", id);
      return { success: true, connection_id: id, message: "The viewer was ended" };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/close_all`,
    action: ADMIN,
    summary: "Dashboard: ends all viewers",
    handler: async () => {
      const sessions = managerOf(components).sessions();
      await Promise.all(sessions.map(session => session.close("closed over the dashboard")));
      note("close_all");
      return { success: true, connections_closed: sessions.length, message: `${sessions.length} were ended` };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/quality/:id`,
    action: ADMIN,
    params: sessionParams,
    body: dashboardQualityBody,
    summary: "Dashboard: sets a viewer's quality, 0 to 100",
    handler: async ({ params: { id }, body }) => {
      const level = LEVELS.find(([most]) => body.quality <= most)?.[1] ?? "auto";
      const { success, reason } = await sessionOf(components, id).setQuality(level);
      if (success) note("quality", id);
      return {
        success,
        connection_id: id,
        quality: level,
        ...(success ? { message: `Quality is ${level}` } : { error: reason }),
      };
    },
  });
}

function sessionOf(components: ApiComponents, id: string): StreamingSession {
  const session = managerOf(components).session(id);
  if (session !== undefined) return session;
  throw new CidcastError("SESSION_NOT_FOUND", `There is no connection ${id}`);
}
