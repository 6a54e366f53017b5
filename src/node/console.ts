import type { NodeStatus } from "@cidcast/protocols/node-api";
import { ownerPrincipal } from "../core/index.ts";
import type { ConsoleSource } from "../mcp/index.ts";
import type { Notify } from "../notify/index.ts";
import type { Prepare, PrepareJob } from "../media/index.ts";
import type { Peer, PeerFacts } from "../p2p/index.ts";
import type { Transfers } from "../transfer/index.ts";
import type { StreamingSession } from "../webrtc/index.ts";

/** Transfers, jobs and known peers that are shown. */
const MAX_SHOWN = 50;

/** What the console looks at. Read when it asks: parts come and go. */
export interface ConsoleView {
  readonly status: () => Promise<NodeStatus>;
  readonly sessions: () => readonly StreamingSession[];
  readonly peer: () => Peer | undefined;
  readonly transfers: () => Transfers | undefined;
  readonly prepare: Prepare;
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
        transfers: await transfersOf(view.transfers()),
        jobs: (await view.prepare.jobs()).slice(0, MAX_SHOWN).map(jobOf),
        peers: (view.peer()?.connections() ?? []).map(({ peerId, address, direction, openedAtMs }) => ({
          peer_id: peerId,
          address,
          direction,
          opened_at_ms: openedAtMs,
        })),
        known_peers: (view.peer()?.reputation.list() ?? []).slice(0, MAX_SHOWN).map(knownPeerOf),
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

async function transfersOf(transfers: Transfers | undefined): Promise<object[]> {
  if (transfers === undefined) return [];
  const { transfers: shown } = await transfers.list({ limit: MAX_SHOWN });
  return shown.map(transfer => ({
    id: transfer.id,
    cid: transfer.cid,
    state: transfer.state,
    way: transfer.rung,
    bytes: transfer.bytes,
    total_bytes: transfer.totalBytes,
    bytes_per_second: transfer.bytesPerSecond,
    eta_seconds: transfer.etaSeconds,
    error: transfer.message,
    created_at_ms: transfer.createdAtMs,
  }));
}

function jobOf({ id, cid, state, progress, error, createdAtMs }: PrepareJob): object {
  const { percent, fps, etaSeconds } = progress;
  return {
    id,
    cid,
    state,
    percent,
    fps,
    eta_seconds: etaSeconds,
    error: error?.message,
    created_at_ms: createdAtMs,
  };
}

function knownPeerOf(facts: PeerFacts): object {
  return {
    peer_id: facts.peerId,
    score: facts.score,
    success: facts.success,
    latency_ms: facts.latencyMs,
    bytes_per_second: facts.bytesPerSecond,
    bytes_verified: facts.bytesVerified,
    bad_blocks: facts.badBlocks,
    banned_until_ms: facts.bannedUntilMs,
    last_seen_ms: facts.lastSeenMs,
  };
}

async function viewerOf(session: StreamingSession): Promise<Readonly<Record<string, unknown>>> {
  const stats = await session.stats();
  const why = Object.values(session.verdicts).map(({ reason }) => reason);
  return { id: session.id, why, ...stats };
}
