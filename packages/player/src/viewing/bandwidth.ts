/** Where it is kept between visits. */
const STORAGE_KEY = "cid-player-bandwidth";
/** How long it is believed, ms: people change networks. */
const BELIEVED_MS = 30 * 60 * 1000;
/** Less of a change than this share is not written. */
const CHANGE_SHARE = 0.1;
const MAX_BPS = 10_000_000_000;

/** What the path to a node carried last time: playing then begins in the right quality. */
export interface Bandwidth {
  /** Bits per second; undefined where nothing is known. */
  get(): number | undefined;
  keep(bps: number): void;
}

/** Keeps it in the page's storage. Where that is forbidden or holds something else, nothing is known. */
export function createBandwidth(
  storage: () => Pick<Storage, "getItem" | "setItem">,
  now: () => number = Date.now,
): Bandwidth {
  const get = (): number | undefined => {
    try {
      const kept: unknown = JSON.parse(storage().getItem(STORAGE_KEY) ?? "[]");
      if (!Array.isArray(kept)) return undefined;
      const [bps, atMs]: unknown[] = kept;
      if (typeof bps !== "number" || typeof atMs !== "number" || !(bps >= 1 && bps <= MAX_BPS))
        return undefined;
      return Math.abs(now() - atMs) <= BELIEVED_MS ? Math.round(bps) : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    get,
    keep(bps) {
      const before = get();
      if (!(bps > 0) || (before !== undefined && Math.abs(bps - before) < before * CHANGE_SHARE)) return;
      try {
        storage().setItem(STORAGE_KEY, JSON.stringify([Math.round(bps), now()]));
      } catch {
        // Full or forbidden: the next visit begins with what nobody knows.
      }
    },
  };
}
