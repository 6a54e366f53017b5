import type { NodeClient } from "@cidcast/client";
import { pageToken } from "../shared/access.ts";
import { MAX_POSTERS } from "./limits.ts";

/** Pictures asked for at a time: making one decodes a little of the file. */
const PARALLEL = 2;
/** Width that is asked for, pixels: a card on a screen of double density. */
const WIDTH = 640;
/** Where the picture is taken: films begin in black. A share of the duration, but not later than this, seconds. */
const AT_SHARE = 0.1;
const AT_MOST_SECONDS = 10;

/** Pictures for videos, asked for when they come into view. */
export interface Posters {
  /** Puts the picture of `cid` into `place`, once that is seen and there is one. */
  show(place: HTMLElement, cid: string, durationSeconds: number | undefined): void;
  close(): void;
}

export function createPosters(node: Pick<NodeClient, "url">): Posters {
  const scope = new AbortController();
  /** Addresses of pictures that are here, the one used last at the end; undefined: there is none. */
  const known = new Map<string, string | undefined>();
  const wanted = new Map<Element, { readonly cid: string; readonly seconds: number }>();
  const waiting: (() => Promise<void>)[] = [];
  let running = 0;

  const keep = (cid: string, url: string | undefined): void => {
    known.set(cid, url);
    for (const [oldest, old] of known) {
      if (known.size <= MAX_POSTERS) break;
      known.delete(oldest);
      if (old !== undefined) URL.revokeObjectURL(old);
    }
  };
  const put = (place: Element, url: string | undefined): void => {
    if (url === undefined) return;
    const image = new Image();
    image.alt = "";
    image.src = url;
    place.append(image);
  };
  const fetchPoster = async (place: Element, cid: string, seconds: number): Promise<void> => {
    // It may have been scrolled away, or the list read anew, while others came first.
    if (!place.isConnected || known.has(cid)) return put(place, known.get(cid));
    const token = pageToken();
    const address = node.url(`/api/v0/frame/${cid}`, { time: seconds.toFixed(2), width: WIDTH });
    try {
      const answer = await fetch(address, {
        signal: scope.signal,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
      const url = answer.ok ? URL.createObjectURL(await answer.blob()) : undefined;
      keep(cid, url);
      put(place, url);
    } catch {
      // Its sign stays.
    }
  };
  const next = (): void => {
    const job = running < PARALLEL ? waiting.shift() : undefined;
    if (job === undefined) return;
    running += 1;
    void job().finally(() => {
      running -= 1;
      next();
    });
  };
  const seen = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      const poster = wanted.get(target);
      if (!isIntersecting || poster === undefined) continue;
      wanted.delete(target);
      seen.unobserve(target);
      waiting.push(() => fetchPoster(target, poster.cid, poster.seconds));
      next();
    }
  });
  return {
    show(place, cid, durationSeconds = 0) {
      if (known.has(cid)) return put(place, known.get(cid));
      wanted.set(place, { cid, seconds: Math.min(AT_MOST_SECONDS, durationSeconds * AT_SHARE) });
      seen.observe(place);
    },
    close() {
      scope.abort();
      seen.disconnect();
      wanted.clear();
      waiting.length = 0;
      for (const url of known.values()) if (url !== undefined) URL.revokeObjectURL(url);
      known.clear();
    },
  };
}
