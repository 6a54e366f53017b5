import {
  CidcastError,
  type Clock,
  type EventPublisher,
  type Logger,
  type Metrics,
  type Principal,
} from "../../core/index.ts";
import { LAST_USED_INTERVAL_MS, MAX_CACHED_TOKENS, MAX_TOKEN_LENGTH } from "../limits.ts";
import { tokenChecks } from "../metrics.ts";
import type { GuessGuard } from "../quotas/guess-guard.ts";
import { grantsOf } from "./scopes.ts";
import type { AdoptedToken, TenancyEvents, TokenInfo, TokenResolver } from "../types.ts";
import { createLiveTokens, type LiveTokens, principalIdOf, tokenIdOf } from "./live-tokens.ts";
import { tokenHash } from "./token-text.ts";
import type { TokenStore } from "./tokens.ts";

interface Cached {
  readonly info: TokenInfo;
  readonly grants: ReadonlySet<string>;
  usedAtMs: number;
}

/** What a principal came from. */
type Origin = Pick<TokenInfo, "expiresAtMs">;

/** A resolver, and the switches with which the rest of tenancy tells it what has ended. */
export interface TokenResolverService extends TokenResolver {
  /** A principal that lives as long as the token and its tenant do. */
  adopt(token: AdoptedToken): Principal;
  endToken(tokenId: string): void;
  endTenant(tenantId: string): void;
  close(): void;
  readonly live: LiveTokens;
}

export function createTokenResolver(components: {
  readonly store: TokenStore;
  readonly guard: GuessGuard;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventPublisher<TenancyEvents>;
}): TokenResolverService {
  const { store, guard, clock, log } = components;
  const live = createLiveTokens(components);
  const checks = tokenChecks(components.metrics);
  /** By hash; a token that is not in here is asked of the store. */
  const cache = new Map<string, Cached>();
  /** What the principals made here came from, as long as they are in use. */
  const origins = new WeakMap<Principal, Origin>();
  const expired = (info: Origin): boolean =>
    info.expiresAtMs !== undefined && info.expiresAtMs <= clock.now();

  const remember = (hash: string, info: TokenInfo): Cached => {
    const cached = { info, grants: grantsOf(info.scopes), usedAtMs: 0 };
    if (cache.size >= MAX_CACHED_TOKENS) cache.clear();
    cache.set(hash, cached);
    return cached;
  };
  const forget = (accept: (info: TokenInfo) => boolean): void => {
    for (const [hash, { info }] of cache) {
      if (!accept(info)) continue;
      cache.delete(hash);
    }
  };
  const refuse = (
    address: string | undefined,
    code: "UNAUTHENTICATED" | "FORBIDDEN",
    message: string,
  ): never => {
    guard.failed(address);
    checks.add(1, { outcome: code === "FORBIDDEN" ? "wrong_tenant" : "invalid" });
    throw new CidcastError(code, message);
  };
  const touch = (cached: Cached): void => {
    const nowMs = clock.now();
    if (nowMs - cached.usedAtMs < LAST_USED_INTERVAL_MS) return;
    cached.usedAtMs = nowMs;
    store.used(cached.info.id, nowMs).catch((error: unknown) => {
      log.warn({ err: error, tokenId: cached.info.id }, "the use of a token was not written down");
    });
  };
  /** Ids of tokens and tenants that ended since the start: principals made before must not outlive them. */
  const ended = new Set<string>();

  return {
    live,
    async resolveToken(text, options) {
      guard.check(options.remoteAddress);
      if (text.length > MAX_TOKEN_LENGTH) {
        return refuse(options.remoteAddress, "UNAUTHENTICATED", "Invalid or expired token");
      }
      const hash = tokenHash(text);
      let cached = cache.get(hash);
      if (cached === undefined) {
        const info = await store.find(text);
        // It may have been revoked while the query ran.
        if (info !== undefined && !ended.has(info.id) && !ended.has(info.tenantId))
          cached = remember(hash, info);
      }
      if (cached === undefined || expired(cached.info)) {
        return refuse(options.remoteAddress, "UNAUTHENTICATED", "Invalid or expired token");
      }
      const { info } = cached;
      if (options.tenantId !== undefined && options.tenantId !== info.tenantId) {
        return refuse(options.remoteAddress, "FORBIDDEN", "Token does not match tenant");
      }
      checks.add(1, { outcome: "accepted" });
      touch(cached);
      const principal: Principal = {
        kind: "token",
        id: principalIdOf(info.id),
        door: options.door,
        tenantId: info.tenantId,
        scopes: cached.grants,
      };
      origins.set(principal, info);
      return principal;
    },
    isLive(principal) {
      const tokenId = tokenIdOf(principal);
      if (tokenId === undefined) return true;
      if (ended.has(tokenId) || ended.has(principal.tenantId ?? "")) return false;
      const info = origins.get(principal);
      return info === undefined || !expired(info);
    },
    watch(principal, onEnd) {
      const tokenId = tokenIdOf(principal);
      if (tokenId === undefined) return () => {};
      if (ended.has(tokenId) || ended.has(principal.tenantId ?? "")) {
        onEnd("token_revoked");
        return () => {};
      }
      const expiresAtMs = origins.get(principal)?.expiresAtMs;
      return live.watch({ id: tokenId, tenantId: principal.tenantId ?? "", expiresAtMs }, onEnd);
    },
    adopt({ id, tenantId, scopes, expiresAtMs, door }) {
      const principal: Principal = {
        kind: "token",
        id: principalIdOf(id),
        door,
        tenantId,
        scopes: grantsOf(scopes),
      };
      origins.set(principal, { expiresAtMs });
      return principal;
    },
    endToken(tokenId) {
      ended.add(tokenId);
      forget(info => info.id === tokenId);
      live.end(tokenId, "token_revoked");
    },
    endTenant(tenantId) {
      ended.add(tenantId);
      forget(info => info.tenantId === tenantId);
      live.endTenant(tenantId);
    },
    close() {
      live.close();
      cache.clear();
    },
  };
}
