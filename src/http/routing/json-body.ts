import type { FastifyInstance, FastifyRequest } from "fastify";
import { CidcastError } from "../../core/index.ts";
import type { HttpLimits } from "../limits.ts";
import { textBody } from "./body.ts";

/** Makes JSON the only body that is read, within the limits of size and pace. */
export function acceptJson(app: FastifyInstance, limits: HttpLimits): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", async (request: FastifyRequest) => {
    const text = await textBody(request.raw, { maxBytes: limits.maxJsonBytes, limits });
    if (text === "") return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new CidcastError("INVALID_REQUEST", "The body is not JSON", { cause });
    }
  });
}
