import { z } from "zod";

/** The admin API of tenants, tokens and credentials, `/api/admin/*`: what is sent. See spec.md beside this file. */

/** Longest name of a tenant, characters. */
export const MAX_TENANT_NAME_LENGTH = 200;
/** Longest description of a tenant, characters. */
export const MAX_DESCRIPTION_LENGTH = 2000;
/** Longest life of a token, days: ten years. */
export const MAX_TOKEN_DAYS = 3650;
/** Life of a token whose maker names none, days. */
export const DEFAULT_TOKEN_DAYS = 30;
/** Most scopes in one request; there are fewer than that. */
export const MAX_SCOPES = 32;
/** Longest name of a tool, of a credential or of a scope, characters. */
export const MAX_KEY_LENGTH = 128;
/** Longest value of a credential, characters: a private key in PEM fits. */
export const MAX_CREDENTIAL_LENGTH = 16 * 1024;
/** Longest id of a tenant, token, credential or session, characters. */
export const MAX_ID_LENGTH = 64;

/** A name without spaces, as tools and credentials have. */
const keyText = z
  .string()
  .min(1)
  .max(MAX_KEY_LENGTH)
  .regex(/^[\w.:@-]+$/, "may hold letters, digits and _ . : @ -");
const idText = z.string().min(1).max(MAX_ID_LENGTH);

/** What a token may allow. A token without any may still call tools that need none. */
export const SCOPE_NAMES = [
  "basic",
  "files",
  "web",
  "admin",
  "api",
  "content:read",
  "content:write",
  "media",
  "peers",
  "events",
] as const;
export type ScopeName = (typeof SCOPE_NAMES)[number];

/** Quotas of a tenant; what is not named has the node's default. */
export const quotasSchema = z.strictObject({
  requests_per_minute: z.number().int().positive().max(1_000_000).optional(),
  storage_bytes: z.number().int().nonnegative().optional(),
  egress_bytes_per_day: z.number().int().nonnegative().optional(),
  viewers: z.number().int().nonnegative().optional(),
  jobs: z.number().int().nonnegative().optional(),
});
export type Quotas = z.output<typeof quotasSchema>;

/** Body of `POST /api/admin/tenants/`. */
export const createTenantBody = z.object({
  name: z.string().trim().min(1).max(MAX_TENANT_NAME_LENGTH),
  description: z.string().max(MAX_DESCRIPTION_LENGTH).default(""),
  quotas: quotasSchema.optional(),
});

/** Body of `POST /api/admin/tokens/`. `expires_in_days: null` makes a token that does not expire. */
export const createTokenBody = z.object({
  tenant_id: idText,
  scopes: z.array(z.string().min(1).max(MAX_KEY_LENGTH)).max(MAX_SCOPES).default([]),
  expires_in_days: z.number().positive().max(MAX_TOKEN_DAYS).nullable().default(DEFAULT_TOKEN_DAYS),
});

/** Body of `POST /api/admin/credentials/`. */
export const storeCredentialBody = z.object({
  tenant_id: idText,
  tool_name: keyText,
  credential_key: keyText,
  credential_value: z.string().min(1).max(MAX_CREDENTIAL_LENGTH),
});

/** Query of lists that one tenant's part can be asked of. */
export const tenantQuery = z.object({ tenant_id: idText });

/** Tenants or tokens in one page of their list. */
export const MAX_ADMIN_PAGE = 1_000;

const page = {
  limit: z.coerce.number().int().min(1).max(MAX_ADMIN_PAGE).optional(),
  after: idText.optional(),
};

/** Query of the list of tenants: so many, `after` the one with which the page before ended. */
export const tenantPage = z.object(page);

/** Query of the list of tokens: of all tenants or of one, and which part as in {@link tenantPage}. */
export const tokenPage = z.object({ tenant_id: idText.optional(), ...page });
