import { join } from "node:path";
import { PLAYBACK_TOKEN_PREFIX } from "@cidcast/protocols/playback";
import type { Clock, Door, EventPublisher, Logger, Metrics, Principal, Service } from "../core/index.ts";
import type { Database } from "../store/index.ts";
import { type AuditLog, createAuditLog } from "./audit/audit.ts";
import { type CredentialStore, createCredentialStore } from "./credentials/credentials.ts";
import { readOrMakeKeyFile } from "./credentials/key-file.ts";
import { createGuessGuard, type GuessGuard } from "./quotas/guess-guard.ts";
import { createPlaybackTokens, type PlaybackTokens } from "./playback/playback.ts";
import { createPlaybackStore } from "./playback/playback-store.ts";
import { createQuotas, type TenantQuotas } from "./quotas/quotas.ts";
import { createSessionStore, type SessionStore } from "./tenants/sessions.ts";
import type { TenancyTables } from "./tables/tables.ts";
import { createContentViews, type OwnedContent } from "./content/content-view.ts";
import { createTenantContent, type TenantContent } from "./content/tenant-content.ts";
import { createTenantStore, type TenantStore } from "./tenants/tenants.ts";
import { createTokenResolver } from "./tokens/resolver.ts";
import { createTokenStore, type TokenStore } from "./tokens/tokens.ts";
import type { AdoptedToken, Tenant, TenancyEvents, TokenInfo, TokenResolver } from "./types.ts";

export interface TenancyInit {
  /** Where key files are kept; made when it is not there. */
  readonly keyDirectory: string;
  /** `MCP_ENCRYPTION_KEY`; without it a key file is made. */
  readonly encryptionKey?: string | undefined;
  /** Keys used before. */
  readonly previousEncryptionKeys?: readonly string[] | undefined;
}

export interface TenancyComponents {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventPublisher<TenancyEvents>;
}

/** Tenants and what belongs to them. */
export interface Tenancy extends Service, TokenResolver {
  readonly tenants: Pick<TenantStore, "create" | "list" | "get" | "names" | "setQuotas">;
  readonly tokens: Pick<TokenStore, "create" | "list" | "countActive">;
  readonly credentials: CredentialStore;
  readonly sessions: SessionStore;
  readonly audit: AuditLog;
  readonly quotas: TenantQuotas;
  readonly content: TenantContent;
  readonly guesses: GuessGuard;
  /** Tokens that let their holder watch one piece of content. */
  readonly playback: PlaybackTokens;
  /** Content as the tenant has it. */
  contentView(store: OwnedContent, tenantId: string): OwnedContent;
  /** The principal of a token that somebody else has issued; the caller has checked it, and that the tenant is active. */
  adoptToken(token: AdoptedToken): Principal;
  /** The principal of a tenant's token by its id, for who is known without showing it; undefined when it is not good. */
  principalOfToken(id: string, door: Door): Promise<Principal | undefined>;
  /** Ends a token everywhere before this resolves: sockets, sessions and subscriptions are told at once. */
  revokeToken(id: string): Promise<TokenInfo>;
  /** Ends a tenant and all its tokens everywhere. */
  deactivateTenant(id: string): Promise<Tenant>;
}

/** Opens tenancy on a database that has run {@link tenancyMigrations}. */
export async function createTenancy(init: TenancyInit, components: TenancyComponents): Promise<Tenancy> {
  const { clock, log, metrics, events } = components;
  const db = components.database.tables<TenancyTables>();
  const guesses = createGuessGuard(clock);
  const tenants = createTenantStore({ db, clock, events });
  const tokens = createTokenStore({ db, clock, events });
  const resolver = createTokenResolver({ store: tokens, guard: guesses, clock, log, metrics, events });
  const credentials = await createCredentialStore({
    db,
    clock,
    events,
    log,
    keys: {
      keyFile: join(init.keyDirectory, "encryption-key"),
      encryptionKey: init.encryptionKey,
      previousKeys: init.previousEncryptionKeys,
    },
  });
  const audit = createAuditLog({
    db,
    clock,
    log,
    metrics,
    key: readOrMakeKeyFile(join(init.keyDirectory, "audit-key")),
  });
  const sessions = createSessionStore({ db, clock, log });
  /** Quotas by tenant: asked on every request, changed rarely and only here. */
  const quotasByTenant = new Map<string, Tenant["quotas"]>();
  const quotas = createQuotas({ clock, metrics, quotasOf: id => quotasByTenant.get(id) ?? {} });
  const content = createTenantContent({ db, clock });
  const playback = createPlaybackTokens({
    store: createPlaybackStore({ db, clock }),
    tokenOf: tokens.get,
    guard: guesses,
    clock,
    log,
    key: readOrMakeKeyFile(join(init.keyDirectory, "playback-key")),
  });
  const ownerOf = (principal: Principal) => (principal.capability === undefined ? resolver : playback);

  return {
    name: "tenancy",
    tenants: {
      create: async tenant => {
        const created = await tenants.create(tenant);
        quotasByTenant.set(created.id, created.quotas);
        return created;
      },
      list: tenants.list,
      names: tenants.names,
      get: tenants.get,
      setQuotas: async (id, limits) => {
        const changed = await tenants.setQuotas(id, limits);
        quotasByTenant.set(id, changed.quotas);
        return changed;
      },
    },
    tokens: { create: tokens.create, list: tokens.list, countActive: tokens.countActive },
    credentials,
    sessions,
    audit,
    quotas,
    content,
    contentView: createContentViews({ content, quotas, events }),
    guesses,
    playback: { create: playback.create, list: playback.list, revoke: playback.revoke },
    resolveToken: (text, options) =>
      options.playback === true && text.startsWith(PLAYBACK_TOKEN_PREFIX)
        ? playback.resolve(text, options)
        : resolver.resolveToken(text, options),
    isLive: principal => ownerOf(principal).isLive(principal),
    watch: (principal, onEnd) => ownerOf(principal).watch(principal, onEnd),
    adoptToken: token => resolver.adopt(token),
    async principalOfToken(id, door) {
      const token = await tokens.get(id);
      if (token === undefined || !token.active) return undefined;
      const { tenantId, scopes, expiresAtMs } = token;
      const principal = resolver.adopt({ id, tenantId, scopes, expiresAtMs, door });
      return resolver.isLive(principal) ? principal : undefined;
    },
    async revokeToken(id) {
      const token = await tokens.revoke(id);
      resolver.endToken(id);
      playback.endIssuer(id);
      events.publish("token_revoked", { tokenId: id, tenantId: token.tenantId });
      return token;
    },
    async deactivateTenant(id) {
      const tenant = await tenants.deactivate(id);
      resolver.endTenant(id);
      playback.endTenant(id);
      events.publish("tenant_deactivated", { tenantId: id });
      return tenant;
    },
    async start() {
      for (const row of await db.selectFrom("tenancy_tenants").select("id").execute()) {
        quotasByTenant.set(row.id, (await tenants.get(row.id)).quotas);
      }
      await sessions.start();
    },
    async stop() {
      resolver.close();
      playback.close();
      await sessions.close();
      await audit.close();
    },
  };
}
