import { setImmediate } from "node:timers/promises";
import type { CID } from "multiformats/cid";
import type { AbortOptions } from "../../core/index.ts";
import type { BlockSet } from "../blockstore/blockstore.ts";
import { parseCid } from "../dag/cid.ts";
import { walkDag } from "../dag/walk.ts";
import type { GcResult } from "../types.ts";
import type { ContentContext } from "./context.ts";

/**
 * Marks what pins and holds need, sweeps the rest, gives the room back. Blocks put while it runs, or by an add that
 * was under way when it began, are kept. A damaged node on the way ends it with `CORRUPT_BLOCK` before anything is
 * removed: what lies below it is not known.
 */
export async function collect(context: ContentContext, options: AbortOptions): Promise<GcResult> {
  const { store, records, holds, metrics } = context;
  // Collections one after the other must not keep everything else from running.
  await setImmediate();
  using since = store.guard();
  const late: CID[] = [];
  const stopListening = holds.onHold(cid => late.push(cid));
  try {
    const keep = store.newSet();
    const pins = await records.pins();
    for (const { cid } of pins) await mark(context, parseCid(cid), keep, options);
    for (const root of holds.roots()) await mark(context, root, keep, options);
    const beforeBatch = async (): Promise<void> => {
      for (let root = late.pop(); root !== undefined; root = late.pop()) {
        await mark(context, root, keep, options);
      }
    };
    const result = await store.sweep(keep, { since, beforeBatch, signal: options.signal });
    metrics.removedBlocks.add(result.removedBlocks);
    metrics.freedBytes.add(result.freedBytes);
    await forgetSwept(context);
    await store.compact(options);
    return result;
  } finally {
    stopListening();
  }
}

function mark(context: ContentContext, root: CID, keep: BlockSet, options: AbortOptions): Promise<void> {
  return walkDag(root, {
    ...options,
    visit: ({ cid }) => keep.add(cid),
    read: cid => context.store.get(cid, options),
  });
}

/** Records of content that is gone say nothing any more. */
async function forgetSwept({ records, store, events, holds }: ContentContext): Promise<void> {
  for (const text of await records.unpinnedRecords()) {
    const cid = parseCid(text);
    if (holds.isHeld(cid) || (await store.has(cid))) continue;
    await records.remove(text);
    events.publish("content_removed", { cid: text });
  }
}
