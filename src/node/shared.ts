import type { Config } from "../config/index.ts";
import type { ContentEvents } from "../content/index.ts";
import type { EventBus, Logger, Metrics, Service, Tracer } from "../core/index.ts";
import type { MediaEvents, PrepareEvents } from "../media/index.ts";
import type { PeerEvents } from "../p2p/index.ts";
import type { TenancyEvents } from "../tenancy/index.ts";
import type { TransferEvents } from "../transfer/index.ts";
import type { WebRTCEvents } from "../webrtc/index.ts";
import type { ClusterEvents } from "./cluster.ts";
import type { Live } from "./live.ts";
import type { Parts } from "./parts.ts";
import type { SystemEvents } from "./system-events.ts";

/** Everything the node's domains tell each other. */
export interface NodeEvents
  extends ClusterEvents,
    ContentEvents,
    MediaEvents,
    PeerEvents,
    PrepareEvents,
    SystemEvents,
    TenancyEvents,
    TransferEvents,
    WebRTCEvents {}

/** What every part of the node is given. */
export interface Shared {
  readonly config: Config;
  /** The settings in force, for what takes over changes. */
  readonly live: Live;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventBus<NodeEvents>;
  /** Undefined: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  readonly parts: Parts;
  readonly opened: Service[];
}
