export { isLoopback, sameKey } from "./tokens/admin-key.ts";
export type { AuditLog, ToolCounts } from "./audit/audit.ts";
export { redactText } from "./audit/redact.ts";
export type { CredentialPlace, CredentialStore } from "./credentials/credentials.ts";
export { createSecretBox, type SecretBox } from "./credentials/secret-box.ts";
export type { GuessGuard } from "./quotas/guess-guard.ts";
export type { LeaseKind, TenantQuotas } from "./quotas/quotas.ts";
export { ALL_SCOPES, grantsOf, parseScopes, type Scope } from "./tokens/scopes.ts";
export type { Session, SessionCounts, SessionStore } from "./tenants/sessions.ts";
export { tenancyMigrations } from "./tables/migrations.ts";
export { createTenancy, type Tenancy, type TenancyComponents, type TenancyInit } from "./tenancy.ts";
export type { PlaybackTokenInfo } from "./playback/playback-store.ts";
export type { OwnedContent } from "./content/content-view.ts";
export type { TenantContent, TenantContentRecord } from "./content/tenant-content.ts";
export type { TenantStore, TenantSummary } from "./tenants/tenants.ts";
export { tokenIdOf } from "./tokens/live-tokens.ts";
export type { CreateTokenInit, TokenStore } from "./tokens/tokens.ts";
export type {
  AuditRecord,
  CreatedToken,
  CredentialInfo,
  EndReason,
  ResolveOptions,
  SessionInfo,
  Tenant,
  TenancyEvents,
  TokenInfo,
  TokenResolver,
  ToolCall,
} from "./types.ts";
