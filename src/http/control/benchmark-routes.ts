import { randomUUID } from "node:crypto";
import { benchmarkParams, controlBenchmarkBody } from "@cidcast/protocols/node-api/control";
import type { FastifyInstance } from "fastify";
import { CidcastError, systemClock } from "../../core/index.ts";
import type { StreamingSession } from "../../webrtc/index.ts";
import type { ApiComponents } from "../api/types.ts";
import { CONTENT_CSP } from "../gateway/headers.ts";
import { MAX_BENCHMARKS } from "../limits.ts";
import { route } from "../routing/route.ts";
import { summarise, watchViewer } from "./benchmark.ts";
import { keepReport, readReport, REPORT_TYPES } from "./report.ts";
import { managerOf } from "./viewers.ts";

const PATH = "/api/v0/mcp/webrtc/benchmark";
/** Time between two looks at a viewer, ms. */
const INTERVAL_MS = 1000;

/** Benchmarks: the figures of a viewer that is there, over a time. */
export function benchmarkRoutes(app: FastifyInstance, components: ApiComponents): void {
  const { init, http, stopping } = components;
  const directory = (): string => {
    if (init.reportDir !== undefined) return init.reportDir;
    throw new CidcastError("FEATURE_DISABLED", "This node keeps no reports");
  };
  let running = 0;
  route(app, {
    method: "POST",
    url: PATH,
    action: "node:admin",
    body: controlBenchmarkBody,
    summary: "Control: measures a viewer of that content, and keeps a report",
    handler: async ({ body, signal, reply }) => {
      const folder = directory();
      const viewer = viewerOf(components, body.cid);
      if (running >= MAX_BENCHMARKS) {
        http.refused.add(1, { reason: "benchmarks" });
        const error = `There are ${MAX_BENCHMARKS} benchmarks running`;
        return reply.code(429).send({ success: false, error, error_type: "resource_limit" });
      }
      running += 1;
      try {
        const samples = await watchViewer(viewer, {
          durationSeconds: body.duration,
          intervalMs: INTERVAL_MS,
          clock: systemClock,
          signal: AbortSignal.any([signal, stopping]),
        });
        const id = `bench_${randomUUID()}`;
        const summary = summarise(viewer, samples);
        const report_path = await keepReport(folder, { id, summary, samples }, body.format);
        return { success: true, benchmark_id: id, report_path, report_url: `${PATH}/${id}`, summary };
      } finally {
        running -= 1;
      }
    },
  });
  route(app, {
    method: "GET",
    url: `${PATH}/:id`,
    action: "node:admin",
    params: benchmarkParams,
    summary: "Control: the report of a benchmark",
    handler: async ({ params, reply }) => {
      const { format, text } = await readReport(directory(), params.id);
      return reply
        .type(REPORT_TYPES[format])
        .header("cache-control", "no-store")
        .header("content-security-policy", CONTENT_CSP)
        .send(text);
    },
  });
}

/** The viewer of that content who came last. `CONFLICT` when nobody watches it. */
function viewerOf(components: ApiComponents, cid: string): StreamingSession {
  const viewer = managerOf(components)
    .sessions()
    .findLast(session => session.cid === cid);
  if (viewer !== undefined) return viewer;
  throw new CidcastError("CONFLICT", `Nobody watches ${cid}: open its page first, /play/${cid}`);
}
