import { jobBody, jobParams, jobsResult, prepareBody, prepareResult } from "@cidcast/protocols/node-api/jobs";
import type { FastifyInstance } from "fastify";
import { CidcastError, type Principal } from "../../core/index.ts";
import type { Prepare } from "../../media/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** Prepared ladders and the jobs that make them. */
export function prepareRoutes(app: FastifyInstance, { prepareFor }: ApiComponents): void {
  const jobsOf = (principal: Principal): Prepare => {
    if (prepareFor === undefined) {
      throw new CidcastError("FEATURE_DISABLED", "Media is switched off on this node");
    }
    return prepareFor(principal);
  };
  route(app, {
    method: "POST",
    url: "/api/v0/prepare",
    action: "media:prepare",
    body: prepareBody,
    answer: prepareResult,
    summary: "Puts a job into the queue that makes a prepared ladder",
    handler: async ({ body: { cid, presets, codec }, principal, signal }) => {
      const { id } = await jobsOf(principal).submit(cid, { signal, presets, codec });
      return { jobId: id };
    },
  });
  route(app, {
    method: "GET",
    url: "/api/v0/jobs",
    action: "media:prepare",
    answer: jobsResult,
    summary: "Jobs, newest first",
    handler: async ({ principal }) => ({ jobs: await jobsOf(principal).jobs() }),
  });
  route(app, {
    method: "GET",
    url: "/api/v0/jobs/:id",
    action: "media:prepare",
    params: jobParams,
    answer: jobBody,
    summary: "How a job is",
    handler: async ({ params: { id }, principal }) => jobsOf(principal).job(id),
  });
  route(app, {
    method: "DELETE",
    url: "/api/v0/jobs/:id",
    action: "media:prepare",
    params: jobParams,
    answer: jobBody,
    summary: "Cancels a job that is not over",
    handler: async ({ params: { id }, principal }) => jobsOf(principal).cancel(id),
  });
}
