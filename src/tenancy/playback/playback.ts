import { createHmac, timingSafeEqual } from "node:crypto";
import {
  boundsOf,
  formatPlaybackToken,
  type ParsedPlaybackToken,
  parsePlaybackToken,
  PLAYBACK_CONTEXT,
  type PlaybackQuality,
  playbackSegment,
} from "@cidcast/protocols/playback";
import { type Cancel, CidcastError, type Clock, type Logger, type Principal } from "../../core/index.ts";
import { MAX_CACHED_TOKENS } from "../limits.ts";
import type { GuessGuard } from "../quotas/guess-guard.ts";
import { tokenIdOf } from "../tokens/live-tokens.ts";
import type { EndReason, ResolveOptions, TokenInfo } from "../types.ts";
import type { PlaybackStore, PlaybackTokenInfo } from "./playback-store.ts";

/** What a holder may do, with that content alone. */
const PLAYBACK_ACTIONS: ReadonlySet<string> = new Set([
  "media:play",
  "media:control",
  "media:probe",
  "content:read",
  "pages:read",
  "node:health",
]);
const PRINCIPAL_PREFIX = "playback:";

export interface CreatePlaybackInit {
  readonly cid: string;
  readonly manifest?: string | undefined;
  readonly expiresInSeconds: number;
  readonly maxQuality?: PlaybackQuality | undefined;
  readonly viewerKey?: string | undefined;
}

export interface CreatedPlaybackToken extends PlaybackTokenInfo {
  readonly token: string;
}

/** Tokens that let their holder watch one piece of content. */
export interface PlaybackTokens {
  /** Makes one for the caller's content; it ends with the token that the caller came with. */
  create(issuer: Principal, init: CreatePlaybackInit): Promise<CreatedPlaybackToken>;
  /** The caller's own, newest first. */
  list(principal: Principal): Promise<PlaybackTokenInfo[]>;
  /** Ends one, and all that were made from it, before this resolves. `NOT_FOUND` for somebody else's. */
  revoke(principal: Principal, id: string): Promise<void>;
}

/** {@link PlaybackTokens}, and what the rest of tenancy does with them. */
export interface PlaybackService extends PlaybackTokens {
  /** The principal of a token. `UNAUTHENTICATED`, `FORBIDDEN`, `LIMIT_REACHED` as tokens of tenants. */
  resolve(text: string, options: ResolveOptions): Promise<Principal>;
  isLive(principal: Principal): boolean;
  watch(principal: Principal, onEnd: (reason: EndReason) => void): Cancel;
  /** A tenant's token has ended: what it made ends too. */
  endIssuer(tokenId: string): void;
  endTenant(tenantId: string): void;
  close(): void;
}

/** What a principal came from. */
interface Origin {
  readonly id: string;
  readonly tenantId: string | undefined;
  readonly issuedBy: string | undefined;
  readonly expiresAtMs: number;
}

interface Watch {
  readonly origin: Origin;
  readonly end: (reason: EndReason) => void;
  readonly leave: Cancel;
}

export function createPlaybackTokens(components: {
  readonly store: PlaybackStore;
  /** The tenant's token of that id; undefined when there is none. */
  readonly tokenOf: (id: string) => Promise<TokenInfo | undefined>;
  readonly guard: GuessGuard;
  readonly clock: Clock;
  readonly log: Logger;
  readonly key: Buffer;
}): PlaybackService {
  const { store, tokenOf, guard, clock, log, key } = components;
  /** Grants that the store has confirmed, by id. */
  const confirmed = new Map<string, PlaybackTokenInfo>();
  const origins = new WeakMap<Principal, Origin>();
  const watches = new Set<Watch>();
  /** Ids of playback tokens, tenants' tokens and tenants that ended since the start. */
  const ended = new Set<string>();
  const over = ({ id, tenantId, issuedBy, expiresAtMs }: Origin): boolean =>
    expiresAtMs <= clock.now() ||
    [id, tenantId, issuedBy].some(part => part !== undefined && ended.has(part));

  const end = (part: string, reason: EndReason): void => {
    ended.add(part);
    const touched = ({ id, tenantId, issuedBy }: Origin): boolean => [id, tenantId, issuedBy].includes(part);
    for (const [id, info] of confirmed) if (touched(info)) confirmed.delete(id);
    for (const watch of watches) if (touched(watch.origin)) watch.end(reason);
  };
  const refuse = (address: string | undefined): never => {
    guard.failed(address);
    throw new CidcastError("UNAUTHENTICATED", "Invalid or expired token");
  };
  const confirm = async (id: string): Promise<PlaybackTokenInfo | undefined> => {
    const known = confirmed.get(id);
    if (known !== undefined) return known;
    const found = await store.find(id);
    // It may have been revoked while the query ran.
    if (found?.active !== true || over(found)) return undefined;
    if (confirmed.size >= MAX_CACHED_TOKENS) confirmed.clear();
    confirmed.set(id, found);
    return found;
  };

  return {
    async create(issuer, init) {
      const issuedBy = tokenIdOf(issuer);
      const issuerEndsAtMs = issuedBy === undefined ? undefined : (await tokenOf(issuedBy))?.expiresAtMs;
      const wanted = Math.floor(clock.now() / 1000) + init.expiresInSeconds;
      const exp = Math.min(wanted, Math.floor((issuerEndsAtMs ?? Number.POSITIVE_INFINITY) / 1000));
      const { cid, manifest, maxQuality, viewerKey } = init;
      const info = await store.create({
        tenantId: issuer.tenantId,
        issuedBy,
        cid,
        manifest,
        maxQuality,
        viewerKey,
        expiresAtMs: exp * 1000,
      });
      const grant = playbackSegment({
        id: info.id,
        ...(issuer.tenantId !== undefined && { tenant: issuer.tenantId }),
        cid,
        ...(manifest !== undefined && { manifest }),
        exp,
        ...(maxQuality !== undefined && { maxQuality }),
        ...(viewerKey !== undefined && { viewerKey }),
      });
      return { ...info, token: formatPlaybackToken([grant], hmac(key, PLAYBACK_CONTEXT + grant)) };
    },
    list: principal => store.list(principal.tenantId),
    async revoke(principal, id) {
      await store.revoke(id, principal.tenantId);
      end(id, "token_revoked");
    },
    async resolve(text, { door, remoteAddress, tenantId }) {
      guard.check(remoteAddress);
      const parsed = parsePlaybackToken(text);
      if (parsed === undefined || !isSigned(key, parsed)) return refuse(remoteAddress);
      const { grant } = parsed;
      const bounds = boundsOf(parsed);
      const info = await confirm(grant.id);
      if (bounds === undefined || info === undefined) return refuse(remoteAddress);
      if (tenantId !== undefined && tenantId !== grant.tenant) {
        guard.failed(remoteAddress);
        throw new CidcastError("FORBIDDEN", "Token does not match tenant");
      }
      const { id, issuedBy } = info;
      const origin: Origin = { id, issuedBy, tenantId: grant.tenant, expiresAtMs: bounds.expiresAtMs };
      if (over(origin)) return refuse(remoteAddress);
      const principal: Principal = {
        kind: "token",
        id: PRINCIPAL_PREFIX + id,
        door,
        ...(grant.tenant !== undefined && { tenantId: grant.tenant }),
        scopes: PLAYBACK_ACTIONS,
        capability: {
          cids: grant.manifest === undefined ? [grant.cid] : [grant.cid, grant.manifest],
          maxQuality: bounds.maxQuality,
          viewerKey: bounds.viewerKey,
        },
      };
      origins.set(principal, origin);
      return principal;
    },
    isLive(principal) {
      const origin = origins.get(principal);
      return origin !== undefined && !over(origin);
    },
    watch(principal, onEnd) {
      const origin = origins.get(principal);
      if (origin === undefined || over(origin)) {
        onEnd("token_expired");
        return () => {};
      }
      const leave = (): void => {
        cancel();
        watches.delete(watch);
      };
      const watch: Watch = {
        origin,
        leave,
        end(reason) {
          leave();
          try {
            onEnd(reason);
          } catch (error) {
            log.error({ err: error, playback: origin.id }, "a watcher of a playback token failed");
          }
        },
      };
      const cancel = clock.after(origin.expiresAtMs - clock.now(), () => watch.end("token_expired"));
      watches.add(watch);
      return leave;
    },
    endIssuer: tokenId => end(tokenId, "token_revoked"),
    endTenant: tenantId => end(tenantId, "tenant_deactivated"),
    close() {
      for (const watch of watches) watch.leave();
    },
  };
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function isSigned(key: Buffer, { segments, signature }: ParsedPlaybackToken): boolean {
  const [grant = "", ...caveats] = segments;
  const expected = caveats.reduce(hmac, hmac(key, PLAYBACK_CONTEXT + grant));
  return timingSafeEqual(expected, signature);
}
