import { PLAYBACK_QUALITIES, type PlaybackQuality, viewerKeyOf } from "@cidcast/protocols/playback";
import { type Capability, CidcastError, type Clock, isCidcastError, systemClock } from "../core/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import type { QualityLevel, SessionInit, StreamingSession, WebRTCStreamingManager } from "../webrtc/index.ts";

/** Time between two counts of what a viewer was sent, milliseconds: as much may be sent beyond the quota of the day. */
const COUNT_MS = 1000;

export interface TenantViewersInit {
  readonly clock?: Clock;
  /** Throws while no new viewers are taken, or none of this content. */
  readonly admit?: (ref: string) => void;
}

/**
 * Viewers of a tenant see that tenant's content, as many at a time and as many bytes a day as its quota says, for as long as
 * their token is good. Who came with a token for one viewer has to be that viewer, and gets no better quality than it allows.
 */
export function tenantViewers<M extends WebRTCStreamingManager>(
  manager: M,
  tenancy: Pick<Tenancy, "content" | "quotas" | "watch">,
  { clock = systemClock, admit = () => undefined }: TenantViewersInit = {},
): M {
  /** Sessions with a capability, as their viewers may use them. */
  const bounded = new Map<string, StreamingSession>();
  const seen = (session: StreamingSession): StreamingSession => bounded.get(session.id) ?? session;

  const opened = async <R extends { readonly session: StreamingSession }>(
    init: SessionInit,
    open: () => Promise<R>,
  ): Promise<R> => {
    const { principal, cid } = init;
    admit(cid);
    const { tenantId, capability } = principal;
    if (tenantId === undefined && capability === undefined) return open();
    await tenancy.content.requireRead(principal, cid.split("/", 1)[0] ?? "");
    tenancy.quotas.checkEgress(tenantId, 1);
    const lease = tenancy.quotas.lease(tenantId, "viewers");
    try {
      const result = await open();
      const { session } = result;
      const unwatch = tenancy.watch(principal, () => void session.close("the token is good no longer"));
      const stopCounting =
        tenantId === undefined ? undefined : countSent(session, tenancy.quotas, { tenantId, clock });
      if (capability !== undefined) bounded.set(session.id, boundSession(session, capability));
      session.onEvent(
        event => {
          if (event.type !== "state" || event.state !== "closed") return;
          bounded.delete(session.id);
          unwatch();
          stopCounting?.();
          lease[Symbol.dispose]();
        },
        { positions: false },
      );
      return { ...result, session: seen(session) };
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
  };
  const own: Partial<WebRTCStreamingManager> = {
    createOffer: init => opened(init, () => manager.createOffer(withinQuality(init))),
    createAnswer: async init => {
      requireViewer(init.principal.capability, init.offerSdp);
      return opened(init, () => manager.createAnswer(withinQuality(init)));
    },
    session: (id, owner) => {
      const session = manager.session(id, owner);
      return session && seen(session);
    },
    sessions: () => manager.sessions().map(seen),
  };
  return overlay(manager, own);
}

/** `target` with some of its members replaced. Its class may have private fields, so that it cannot be spread. */
function overlay<B extends object, T extends B>(target: T, replaced: Partial<B>): T {
  return new Proxy(target, {
    get(_target, property) {
      const value: unknown = Reflect.get(property in replaced ? replaced : target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The session of a viewer with a capability. */
function boundSession(session: StreamingSession, capability: Capability): StreamingSession {
  return overlay<StreamingSession, StreamingSession>(session, {
    answer: async sdp => {
      requireViewer(capability, sdp);
      await session.answer(sdp);
    },
    setQuality: quality => session.setQuality(boundedQuality(quality, capability.maxQuality)),
  });
}

/** `FORBIDDEN` when the description is not of the viewer that the token is for; DTLS proves that it holds the certificate. */
function requireViewer(capability: Capability | undefined, sdp: string): void {
  if (capability?.viewerKey === undefined) return;
  const keys = [...sdp.matchAll(/^a=fingerprint:([^\r\n]+)/gm)].map(([, text = ""]) => viewerKeyOf(text));
  if (keys.length > 0 && keys.every(key => key === capability.viewerKey)) return;
  throw new CidcastError("FORBIDDEN", "This token is for another viewer");
}

function withinQuality<I extends SessionInit>(init: I): I {
  const { maxQuality } = init.principal.capability ?? {};
  return maxQuality === undefined
    ? init
    : { ...init, quality: boundedQuality(init.quality ?? "auto", maxQuality) };
}

/** `auto` would go beyond the bound. */
function boundedQuality(quality: QualityLevel, most: PlaybackQuality | undefined): QualityLevel {
  if (most === undefined) return quality;
  const index = quality === "auto" ? Number.POSITIVE_INFINITY : PLAYBACK_QUALITIES.indexOf(quality);
  return index > PLAYBACK_QUALITIES.indexOf(most) ? most : quality;
}

/** Counts what a session sends; ends it when the tenant's bytes of the day are used up. */
function countSent(
  session: StreamingSession,
  quotas: Pick<Tenancy["quotas"], "addEgress">,
  { tenantId, clock }: { readonly tenantId: string; readonly clock: Clock },
): () => void {
  let counted = 0;
  let asking = false;
  const count = async (): Promise<void> => {
    const sent = Number((await session.stats())["bytes_sent"] ?? 0);
    const more = sent - counted;
    counted = sent;
    quotas.addEgress(tenantId, more);
  };
  return clock.every(COUNT_MS, () => {
    if (asking) return;
    asking = true;
    count()
      .catch(async (error: unknown) => {
        // Anything else: the session is ending.
        if (isCidcastError(error, "LIMIT_REACHED"))
          await session.close("the tenant's bytes of the day are used up");
      })
      .finally(() => {
        asking = false;
      });
  });
}
