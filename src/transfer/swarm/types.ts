import type { CID } from "multiformats/cid";
import type { AbortOptions, CidcastError, Clock, Logger } from "../../core/index.ts";
import type { TransferMetrics } from "../metrics.ts";
import type { GatewaySource } from "../strategies/http.ts";
import type { PeerSource } from "../strategies/libp2p.ts";
import type { WebSocketSource } from "../strategies/web-socket.ts";
import type { Health } from "../transfers/health.ts";
import type { TransferAttempt, TransferSource } from "../transfers/types.ts";
import type { FetchResult, TransferBlocks, TransferStrategy, TransferWant } from "../types.ts";

/** The rungs there are. */
export interface Strategies {
  readonly libp2p: TransferStrategy<PeerSource> | undefined;
  readonly websocket: TransferStrategy<WebSocketSource>;
  readonly http: TransferStrategy<GatewaySource>;
}

/** How long sources are waited for. */
export interface SwarmPace {
  readonly stallTimeoutMs?: number;
  readonly slowStartMs?: number;
  readonly retryMs?: number;
}

export interface SwarmInit extends AbortOptions {
  readonly want: TransferWant;
  /** Best first. */
  readonly sources: readonly TransferSource[];
  /** Hears of each source that is asked. */
  readonly onSource: (source: TransferSource) => void;
  /** Hears each block once it is verified and stored, and where it came from. */
  readonly onBlock: (cid: CID, bytes: number, source: TransferSource) => void;
  /** Hears of each try that ended without the whole. */
  readonly onAttempt: (attempt: TransferAttempt) => void;
  readonly pace?: SwarmPace;
}

export interface SwarmComponents {
  readonly strategies: Strategies;
  readonly blocks: TransferBlocks & { settled(): Promise<void> };
  readonly health: Health;
  readonly metrics: TransferMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface SwarmResult {
  /** True when all of the want is here. */
  readonly ok: boolean;
  readonly attempts: readonly TransferAttempt[];
  /** What is the receiver's own trouble. */
  readonly fatal?: CidcastError;
}

/** What a source is asked for. */
export type Ask = (
  options: AbortOptions & {
    readonly priority: number;
    readonly onBlock: (cid: CID, size: number, bytes: Uint8Array) => void;
  },
) => Promise<FetchResult>;
