import { checkReport } from "@cidcast/protocols/connectivity";
import { stallReport } from "@cidcast/protocols/node-api/stalls";
import { z } from "zod";
import type { CheckBody, CheckReport } from "@cidcast/protocols/connectivity";
import type { StallReportBody } from "@cidcast/protocols/node-api/stalls";
import { type AbortOptions, CidcastError, type Principal } from "../../../core/index.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { Tool } from "../../types.ts";

/** What a node can tell of itself when something does not work. */
export interface NodeDiagnosis {
  /** Looks at every way to and from the node. */
  checkConnectivity(request: CheckBody & AbortOptions): Promise<CheckReport>;
  /** What holds a viewer up. `SESSION_NOT_FOUND` where it is nobody's of the caller. */
  whyStalled(principal: Principal, sessionId: string): Promise<StallReportBody>;
}

const READ = { readOnlyHint: true, openWorldHint: false } as const;

/** Tools that say why something does not play, or is not reached. */
export function diagnoseTools(diagnose: NodeDiagnosis): Tool[] {
  return [
    defineTool({
      name: "check_connectivity",
      title: "Check connectivity",
      description:
        "Look at every way to and from this node, up to a clip that is played; each finding with what it means and what to do",
      scopes: ["peers"],
      // It connects to what it is told to look at.
      annotations: { ...READ, openWorldHint: true },
      input: z.object({ against: z.string().min(1).max(2048).optional(), all: z.boolean().optional() }),
      output: checkReport,
      run: async (request, { principal, signal }) => {
        if (principal.tenantId !== undefined)
          throw new CidcastError("FORBIDDEN", "Only the node's owner checks its connections");
        return { structured: { ...(await diagnose.checkConnectivity({ ...request, signal })) } };
      },
    }),
    defineTool({
      name: "why_stalled",
      title: "Why a viewer stalls",
      description: "What holds a viewer's session up, in one line, and what happened before",
      scopes: ["media"],
      annotations: READ,
      input: z.object({ session_id: z.string().min(1).max(128) }),
      output: stallReport,
      run: async ({ session_id }, { principal }) => ({
        structured: { ...(await diagnose.whyStalled(principal, session_id)) },
      }),
    }),
  ];
}
