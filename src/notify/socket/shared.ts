import type { Clock, Logger, Metrics } from "../../core/index.ts";
import type { Fanout } from "../fanout/index.ts";
import type { EventLog } from "../log/index.ts";
import type { NotifyMetrics } from "../metrics.ts";
import type { Audience } from "../types.ts";

export interface NotificationComponents {
  readonly events: EventLog;
  readonly fanout: Fanout;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly audience?: Audience;
}

/** What connections share. */
export interface NotificationShared extends Required<NotificationComponents> {
  readonly counters: NotifyMetrics;
  /** Subscriptions by type, for `get_metrics`. */
  readonly subscriptions: Map<string, number>;
  totals(): { readonly total: number; readonly active: number };
}
