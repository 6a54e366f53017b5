import type { Clock } from "../../core/index.ts";
import type { Tenancy } from "../../tenancy/index.ts";
import { isoTime, type McpRoute, ok, type RouteInit } from "./route.ts";

/** How far back the chart of calls goes, and in which steps, milliseconds. */
const ANALYTICS_MS = 24 * 60 * 60 * 1000;
const ANALYTICS_STEP_MS = 60 * 60 * 1000;

/** What the rest of the node tells the console. */
export interface ConsoleSource {
  /** How the node is now: parts, viewers, peers. */
  overview(): Promise<Readonly<Record<string, unknown>>>;
  /** What happens, as server-sent events, until the signal aborts. */
  events(signal: AbortSignal | undefined): AsyncIterable<string>;
}

/** What the console shows beside tenants, tokens and credentials. `route` asks for the admin key. */
export function consoleRoutes(
  route: (init: Omit<RouteInit, "access">) => McpRoute,
  components: {
    readonly tenancy: Tenancy;
    readonly clock: Clock;
    /** Undefined: nothing is known but what tenancy knows. */
    readonly source: ConsoleSource | undefined;
  },
): McpRoute[] {
  const { tenancy, clock, source } = components;
  const analytics = route({
    method: "GET",
    path: "/api/admin/analytics",
    summary: "Tool calls of all tenants over the last day, by hour and by tool",
    handle: async () => {
      const [steps, counts] = await Promise.all([
        tenancy.audit.series(clock.now() - ANALYTICS_MS, ANALYTICS_STEP_MS),
        tenancy.audit.counts(),
      ]);
      const series = steps.map(({ atMs, calls, errors }) => ({ at: isoTime(atMs), calls, errors }));
      return ok({ step_seconds: ANALYTICS_STEP_MS / 1000, series, by_tool: counts.byTool });
    },
  });
  if (source === undefined) return [analytics];
  return [
    analytics,
    route({
      method: "GET",
      path: "/api/admin/overview",
      summary: "How the node is now: parts, viewers, peers",
      handle: async () => ok(await source.overview()),
    }),
    route({
      method: "GET",
      path: "/api/admin/events",
      summary: "What happens, as server-sent events",
      handle: async ({ signal }) => ({
        status: 200,
        headers: { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" },
        body: source.events(signal),
      }),
    }),
  ];
}
