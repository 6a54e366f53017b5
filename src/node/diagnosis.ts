import { CidcastError } from "../core/index.ts";
import type { NodeDiagnosis } from "../mcp/index.ts";
import type { WebRTCStreamingManager } from "../webrtc/index.ts";

/** What agents may ask when something does not work. Parts are asked for late: some start after MCP, and may be off. */
export function diagnosisOf(init: {
  readonly webrtc: () => WebRTCStreamingManager | undefined;
  readonly check: () => NodeDiagnosis["checkConnectivity"] | undefined;
}): NodeDiagnosis {
  return {
    async checkConnectivity(request) {
      const check = init.check();
      if (check === undefined) throw new CidcastError("SHUTTING_DOWN", "The node is not up yet");
      return check(request);
    },
    async whyStalled({ tenantId }, sessionId) {
      const session = init.webrtc()?.session(sessionId);
      // A session of another tenant is answered like one that never was.
      if (session === undefined || (tenantId !== undefined && session.tenantId !== tenantId)) {
        throw new CidcastError("SESSION_NOT_FOUND", `There is no session ${sessionId}`);
      }
      const report = await session.whyStalled();
      return { ...report, timeline: [...report.timeline] };
    },
  };
}
