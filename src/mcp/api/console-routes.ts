import { CidcastError, type Clock } from "../../core/index.ts";
import type { Tenancy } from "../../tenancy/index.ts";
import { isoTime, type McpRoute, ok, type RouteInit } from "./route.ts";

const HOUR_MS = 60 * 60 * 1000;
/** How far back the chart of calls may go, days, and in which steps, milliseconds. */
const ANALYTICS_STEP_MS: Readonly<Record<string, number>> = { 1: HOUR_MS, 7: 6 * HOUR_MS, 30: 24 * HOUR_MS };
/** Calls of all tenants that the console lists. */
const RECENT_CALLS = 50;

/** What the rest of the node tells the console. */
export interface ConsoleSource {
  /** How the node is now: parts, viewers, peers, transfers, jobs. */
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
    summary:
      "Tool calls of all tenants: over the last day, week or month (`days`: 1, 7, 30), by tool, the last ones",
    handle: async ({ query }) => {
      const days = query.get("days") ?? "1";
      const stepMs = ANALYTICS_STEP_MS[days];
      if (stepMs === undefined) throw new CidcastError("INVALID_REQUEST", "days is 1, 7 or 30");
      const [steps, counts, recent] = await Promise.all([
        tenancy.audit.series(clock.now() - Number(days) * 24 * HOUR_MS, stepMs),
        tenancy.audit.counts(),
        tenancy.audit.recentOfAll(RECENT_CALLS),
      ]);
      const series = steps.map(({ atMs, calls, errors }) => ({ at: isoTime(atMs), calls, errors }));
      const names = await tenancy.tenants.names(recent.flatMap(({ tenantId }) => tenantId ?? []));
      return ok({
        step_seconds: stepMs / 1000,
        series,
        by_tool: counts.byTool,
        recent: recent.map(({ tenantId, tool, error, durationMs, atMs }) => ({
          tenant: tenantId === undefined ? undefined : names.get(tenantId),
          tool_name: tool,
          error,
          duration_ms: durationMs,
          created_at: isoTime(atMs),
        })),
      });
    },
  });
  if (source === undefined) return [analytics];
  return [
    analytics,
    route({
      method: "GET",
      path: "/api/admin/overview",
      summary: "How the node is now: parts, viewers, peers, transfers, jobs",
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
