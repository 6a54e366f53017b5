/** Where places are kept between visits. */
const STORAGE_KEY = "cid-player-places";
/** Most CIDs whose place is kept: the ones left longest ago go first. */
export const MAX_PLACES = 100;
/** How near to the start or the end nothing is kept, seconds: nobody minds beginning anew there. */
export const EDGE_SECONDS = 5;

/** Where a viewer left what. */
export interface Places {
  /** Seconds; undefined where there is nothing to go on with. */
  get(cid: string): number | undefined;
  /** Keeps a place; near the start or the end it is forgotten instead. */
  keep(cid: string, seconds: number, durationSeconds: number): void;
  forget(cid: string): void;
}

/** Places in the page's storage. Where that is forbidden or holds something else, there are none. */
export function createPlaces(storage: () => Pick<Storage, "getItem" | "setItem">): Places {
  const read = (): Map<string, number> => {
    try {
      return new Map(entriesOf(JSON.parse(storage().getItem(STORAGE_KEY) ?? "[]")));
    } catch {
      return new Map();
    }
  };
  const write = (places: ReadonlyMap<string, number>): void => {
    try {
      storage().setItem(STORAGE_KEY, JSON.stringify([...places].slice(-MAX_PLACES)));
    } catch {
      // Full or forbidden: the next visit begins anew.
    }
  };
  const forget = (cid: string): void => {
    const places = read();
    if (places.delete(cid)) write(places);
  };
  return {
    get: cid => read().get(cid),
    forget,
    keep(cid, seconds, durationSeconds) {
      // Also where the duration is not known.
      if (!(seconds >= EDGE_SECONDS && seconds <= durationSeconds - EDGE_SECONDS)) return forget(cid);
      const places = read();
      // Goes to the end, as the newest.
      places.delete(cid);
      write(places.set(cid, Math.floor(seconds)));
    },
  };
}

/** A player as far as its place goes. */
interface Placed extends Pick<Element, "getAttribute" | "hasAttribute"> {
  readonly srcCid: string;
  readonly state: string;
  readonly currentTime: number;
  readonly duration: number;
}

/** Where playing begins: where the page says, or else where the viewer left. */
export function startOf(player: Placed, places: Places): number {
  const given = Number.parseFloat(player.getAttribute("start") ?? "");
  if (given >= 0) return given;
  return player.hasAttribute("resume") ? (places.get(player.srcCid) ?? 0) : 0;
}

/** Keeps where the viewer is, if the page wants that. */
export function keepPlace(player: Placed, places: Places): void {
  if (!player.hasAttribute("resume")) return;
  if (player.state === "ended") places.forget(player.srcCid);
  else if (player.state === "playing" || player.state === "paused") {
    places.keep(player.srcCid, player.currentTime, player.duration);
  }
}

function entriesOf(value: unknown): [string, number][] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (entry): entry is [string, number] =>
      Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]) && entry[1] > 0,
  );
}
