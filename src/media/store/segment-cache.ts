import type { AbortOptions } from "../../core/index.ts";
import type { Segment } from "../types.ts";
import type { GopStore, Stored } from "./gop-store.ts";
import { segmentBytes } from "./segment-builder.ts";

/** A segment in the store on its own. */
class StoredSegment implements Stored {
  readonly segment: Segment;
  readonly byteLength: number;

  constructor(segment: Segment) {
    this.segment = segment;
    this.byteLength = segmentBytes(segment);
  }
}

/** Segments that are stored one by one, as those that are read from the file are. */
export interface SegmentCache {
  get(key: string): Segment | undefined;
  load(
    key: string,
    load: () => Promise<Segment | undefined>,
    options?: AbortOptions,
  ): Promise<Segment | undefined>;
}

export function segmentCache(store: GopStore<Stored>): SegmentCache {
  const segmentOf = (stored: Stored | undefined): Segment | undefined =>
    stored instanceof StoredSegment ? stored.segment : undefined;
  return {
    get: key => segmentOf(store.get(key)),
    load: async (key, load, options) => {
      const make = async (): Promise<Stored | undefined> => {
        const segment = await load();
        return segment === undefined ? undefined : new StoredSegment(segment);
      };
      return segmentOf(await store.load(key, make, options));
    },
  };
}
