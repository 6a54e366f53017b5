import type { AbortOptions } from "../../core/index.ts";
import type { DagBlock } from "../car/codec.ts";
import { parseCid } from "../dag/cid.ts";
import { walkDag } from "../dag/walk.ts";
import type { ContentContext } from "./context.ts";

/** Hands over every block here that a pin needs, once each; blocks that are missing are passed over. */
export async function exportPinned(
  { store, records }: ContentContext,
  write: (block: DagBlock) => Promise<void>,
  options: AbortOptions,
): Promise<void> {
  const seen = store.newSet();
  for (const pin of await records.pins()) {
    await walkDag(parseCid(pin.cid), {
      ...options,
      visit: async ({ cid }) => {
        if (!seen.add(cid)) return false;
        const bytes = await store.get(cid, options);
        if (bytes !== undefined) await write({ cid, bytes });
        return bytes !== undefined;
      },
      read: async cid => ((await store.has(cid)) ? store.get(cid, options) : undefined),
    });
  }
}
