import { randomUUID } from "node:crypto";
import { CidcastError, type Principal } from "../../core/index.ts";
import type { StreamingSession } from "../../webrtc/index.ts";
import { ufragsOf } from "./fragment.ts";

/** A viewer who came through WHEP. */
export interface Viewer {
  readonly session: StreamingSession;
  /** Names the ICE session: another one after each restart. */
  etag: string;
  /** The viewer's ICE user name fragments. */
  ufrags: ReadonlySet<string>;
}

/** A tag for a new ICE session. */
export function newEtag(): string {
  return `"${randomUUID()}"`;
}

/** Viewers by the id of their session. As many as the streaming manager has sessions, and gone when those are. */
export interface Viewers {
  add(session: StreamingSession, offerSdp: string, principal: Principal): Viewer;
  /** `SESSION_NOT_FOUND` when there is none, or it is somebody else's. */
  find(id: string, principal: Principal): Viewer;
}

export function createViewers(): Viewers {
  const viewers = new Map<string, Viewer & { readonly principal: Principal }>();
  return {
    add(session, offerSdp, principal) {
      const viewer = { session, etag: newEtag(), ufrags: ufragsOf(offerSdp), principal };
      viewers.set(session.id, viewer);
      session.onEvent(
        event => {
          if (event.type === "state" && event.state === "closed") viewers.delete(session.id);
        },
        { positions: false },
      );
      return viewer;
    },
    find(id, principal) {
      const viewer = viewers.get(id);
      const own = viewer?.principal.id === principal.id && viewer.principal.tenantId === principal.tenantId;
      if (viewer === undefined || !own)
        throw new CidcastError("SESSION_NOT_FOUND", `There is no session ${id}`);
      return viewer;
    },
  };
}
