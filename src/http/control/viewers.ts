import { CidcastError } from "../../core/index.ts";
import type { StreamingSession, WebRTCStreamingManager } from "../../webrtc/index.ts";
import type { ApiComponents } from "../api/types.ts";

/** A viewer as the control plane shows it. */
export async function connectionBody(session: StreamingSession): Promise<Readonly<Record<string, unknown>>> {
  const { state, ice_state, quality } = await session.stats();
  const { id, cid } = session;
  return { connection_id: id, id, status: state, connection_state: state, ice_state, quality, cid };
}

/** The manager, or why there is none. */
export function managerOf({
  webrtc,
  webrtcMissing = "it is switched off",
}: ApiComponents): WebRTCStreamingManager {
  if (webrtc !== undefined) return webrtc;
  throw new CidcastError("FEATURE_DISABLED", `WebRTC is not available on this node: ${webrtcMissing}`);
}
