import { checkBody, checkReport } from "@cidcast/protocols/connectivity";
import type { FastifyInstance } from "fastify";
import { CidcastError } from "../../core/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** A look at how the node is connected. */
export function checkRoutes(app: FastifyInstance, { checkConnectivity }: ApiComponents): void {
  route(app, {
    method: "POST",
    url: "/api/v0/check",
    action: "node:admin",
    body: checkBody,
    answer: checkReport,
    summary: "Looks at every way to and from the node, up to a clip that is played",
    handler: async ({ body, signal }) => {
      if (checkConnectivity === undefined) {
        throw new CidcastError("FEATURE_DISABLED", "This node checks nothing");
      }
      return checkConnectivity({ ...body, signal });
    },
  });
}
