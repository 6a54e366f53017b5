import {
  type JSONRPCRequest,
  ProtocolError,
  type Result,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { RPC_ERRORS } from "@cidcast/protocols/mcp";
import { z } from "zod";
import { issuesText } from "./define-tool.ts";
import type { Traced } from "./traced.ts";

/** Longest message about parameters that do not fit, characters. */
const MAX_MISFIT_LENGTH = 500;

type Handler = (request: JSONRPCRequest, context: ServerContext) => Promise<Result>;

/** The list that the protocol layer gives as the message of its error. */
const issuesSchema = z
  .array(z.object({ path: z.array(z.union([z.string(), z.number()])), message: z.string() }))
  .min(1);

/** The protocol layer's server, where parameters of a method that do not fit its schema are −32602, not −32603. */
export class ProtocolServer extends Server {
  /** Every request is done as its work. */
  traced: Traced | undefined;

  protected override _wrapHandler(method: string, handler: Handler): Handler {
    return super._wrapHandler(method, async (request, context) => {
      const work = (): Promise<Result> => handler(request, context);
      try {
        return await (this.traced === undefined ? work() : this.traced(request, work));
      } catch (error) {
        const misfit = misfitOf(error);
        if (misfit === undefined) throw error;
        const message = `Invalid params for ${method}: ${misfit}`.slice(0, MAX_MISFIT_LENGTH);
        throw new ProtocolError(RPC_ERRORS.invalidParams, message);
      }
    });
  }
}

/** What does not fit, when that is what the error says. */
function misfitOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || Object.getPrototypeOf(error) !== Error.prototype) return undefined;
  if (!error.message.startsWith("[")) return undefined;
  try {
    const issues = issuesSchema.safeParse(JSON.parse(error.message));
    return issues.data && issuesText(issues.data);
  } catch {
    return undefined;
  }
}
