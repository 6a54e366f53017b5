import type { NodeStatus } from "@cidcast/protocols/node-api";
import { ownerPrincipal } from "../core/index.ts";
import type { ConsoleSource } from "../mcp/index.ts";
import type { Notify } from "../notify/index.ts";
import type { Peer } from "../p2p/index.ts";
import type { StreamingSession } from "../webrtc/index.ts";

/** What the console looks at. Read when it asks: parts come and go. */
export interface ConsoleView {
  readonly status: () => Promise<NodeStatus>;
  readonly sessions: () => readonly StreamingSession[];
  readonly peer: () => Peer | undefined;
  readonly notify: Notify | undefined;
}

/** What is shown of the node to who has the admin key. */
export function consoleSource(view: ConsoleView): ConsoleSource {
  return {
    async overview() {
      // A viewer that leaves while it is asked is not there any more.
      const settled = await Promise.allSettled(view.sessions().map(viewerOf));
      return {
        node: await view.status(),
        viewers: settled.flatMap(result => (result.status === "fulfilled" ? [result.value] : [])),
        peers: (view.peer()?.connections() ?? []).map(({ peerId, address, direction, openedAtMs }) => ({
          peer_id: peerId,
          address,
          direction,
          opened_at_ms: openedAtMs,
        })),
      };
    },
    async *events(signal) {
      if (view.notify === undefined) return;
      yield* view.notify.sse(ownerPrincipal, {
        types: [],
        filter: undefined,
        lastEventId: undefined,
        ...(signal && { signal }),
      });
    },
  };
}

async function viewerOf(session: StreamingSession): Promise<Readonly<Record<string, unknown>>> {
  const stats = await session.stats();
  const why = Object.values(session.verdicts).map(({ reason }) => reason);
  return { id: session.id, why, ...stats };
}
