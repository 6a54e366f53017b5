import type { Clock, EventPublisher, Logger } from "../../core/index.ts";
import type { Blockstore } from "../blockstore/blockstore.ts";
import type { Blocks } from "../dag/blocks.ts";
import type { Denylist } from "../denylist/denylist.ts";
import type { ContentLimits } from "../limits.ts";
import type { ContentMetrics } from "../metrics.ts";
import type { RecordStore } from "../records/record-store.ts";
import type { ContentEvents } from "../types.ts";
import type { NodeCache } from "../unixfs/index.ts";
import type { Holds } from "./holds.ts";

/** What the verbs of this domain share. */
export interface ContentContext {
  readonly store: Blockstore;
  readonly denylist: Denylist;
  readonly blocks: Blocks;
  readonly nodes: NodeCache;
  readonly records: RecordStore;
  readonly holds: Holds;
  readonly events: EventPublisher<ContentEvents>;
  readonly metrics: ContentMetrics;
  readonly limits: ContentLimits;
  readonly clock: Clock;
  readonly log: Logger;
  /** Directory on whose disk the blocks are; undefined when they are in memory. */
  readonly directory: string | undefined;
}
