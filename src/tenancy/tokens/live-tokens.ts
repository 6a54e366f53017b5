import type { Cancel, Clock, EventPublisher, Logger, Principal } from "../../core/index.ts";
import { MAX_TIMER_MS } from "../limits.ts";
import type { EndReason, TenancyEvents } from "../types.ts";

interface Watched {
  readonly tenantId: string;
  readonly expiresAtMs: number | undefined;
  readonly listeners: Set<(reason: EndReason) => void>;
  cancel: Cancel;
}

const PRINCIPAL_PREFIX = "token:";

/** Id of a token's principal. */
export function principalIdOf(tokenId: string): string {
  return PRINCIPAL_PREFIX + tokenId;
}

/** Id of the token that a principal came with; undefined for the owner and anonymous callers. */
export function tokenIdOf(principal: Principal): string | undefined {
  if (principal.kind !== "token" || !principal.id.startsWith(PRINCIPAL_PREFIX)) return undefined;
  return principal.id.slice(PRINCIPAL_PREFIX.length);
}

/** Tells open sockets, sessions and subscriptions that their token has ended. */
export interface LiveTokens {
  watch(token: WatchedToken, onEnd: (reason: EndReason) => void): Cancel;
  /** The token has ended: who watches it is told before this returns. */
  end(tokenId: string, reason: EndReason): void;
  /** Every token of the tenant has ended. */
  endTenant(tenantId: string): void;
  /** Stops all timers. */
  close(): void;
  readonly watchedTokens: number;
}

export interface WatchedToken {
  readonly id: string;
  readonly tenantId: string;
  readonly expiresAtMs: number | undefined;
}

export function createLiveTokens(components: {
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventPublisher<TenancyEvents>;
}): LiveTokens {
  const { clock, log, events } = components;
  const watched = new Map<string, Watched>();

  const end = (tokenId: string, reason: EndReason): void => {
    const entry = watched.get(tokenId);
    if (entry === undefined) return;
    watched.delete(tokenId);
    entry.cancel();
    for (const listener of entry.listeners) {
      try {
        listener(reason);
      } catch (error) {
        log.error({ err: error, tokenId }, "a watcher of a token failed");
      }
    }
  };

  const arm = (token: WatchedToken): Cancel => {
    if (token.expiresAtMs === undefined) return () => {};
    const leftMs = Math.max(0, token.expiresAtMs - clock.now());
    return clock.after(Math.min(leftMs, MAX_TIMER_MS), () => {
      const entry = watched.get(token.id);
      if (entry === undefined) return;
      if (leftMs > MAX_TIMER_MS) {
        entry.cancel = arm(token);
        return;
      }
      end(token.id, "token_expired");
      events.publish("token_expired", { tokenId: token.id, tenantId: token.tenantId });
    });
  };

  return {
    watch(token, onEnd) {
      let entry = watched.get(token.id);
      if (entry === undefined) {
        entry = {
          tenantId: token.tenantId,
          expiresAtMs: token.expiresAtMs,
          listeners: new Set(),
          cancel: () => {},
        };
        watched.set(token.id, entry);
        entry.cancel = arm(token);
      }
      const { listeners } = entry;
      // A function of its own, so that one listener given twice is two.
      const listener = (reason: EndReason): void => onEnd(reason);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        const current = watched.get(token.id);
        if (current?.listeners !== listeners) return;
        watched.delete(token.id);
        current.cancel();
      };
    },
    end,
    endTenant(tenantId) {
      for (const [tokenId, entry] of watched) {
        if (entry.tenantId === tenantId) end(tokenId, "tenant_deactivated");
      }
    },
    close() {
      for (const entry of watched.values()) entry.cancel();
      watched.clear();
    },
    get watchedTokens() {
      return watched.size;
    },
  };
}
