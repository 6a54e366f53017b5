/** Tables of this domain. */
export interface TenancyTables {
  tenancy_tenants: {
    id: string;
    name: string;
    description: string;
    is_active: number;
    quotas: string;
    created_at_ms: number;
  };
  tenancy_tokens: {
    id: string;
    tenant_id: string;
    /** SHA-256 of the token's text. */
    hash: string;
    prefix: string;
    scopes: string;
    is_active: number;
    expires_at_ms: number | null;
    created_at_ms: number;
    last_used_at_ms: number | null;
  };
  tenancy_credentials: {
    id: string;
    tenant_id: string;
    tool_name: string;
    credential_key: string;
    /** Sealed by the secret box, bound to tenant, tool and key. */
    sealed: string;
    created_at_ms: number;
    updated_at_ms: number;
  };
  tenancy_sessions: {
    id: string;
    tenant_id: string;
    token_id: string;
    door: string;
    client_name: string | null;
    created_at_ms: number;
    last_seen_at_ms: number;
    closed_at_ms: number | null;
  };
  tenancy_tool_calls: {
    /** Place in the tenant's chain, counted from 1 without gaps. */
    seq: number;
    tenant_id: string;
    session_id: string;
    caller: string;
    tool: string;
    arguments: string;
    result: string | null;
    error: string | null;
    duration_ms: number;
    at_ms: number;
    previous_hash: string;
    hash: string;
  };
  tenancy_playback: {
    id: string;
    /** Empty: the owner's. */
    tenant_id: string;
    /** Token of the tenant that made it; empty: none. */
    issued_by: string;
    cid: string;
    manifest: string | null;
    max_quality: string | null;
    viewer_key: string | null;
    is_active: number;
    expires_at_ms: number;
    created_at_ms: number;
  };
  tenancy_content: {
    tenant_id: string;
    cid: string;
    name: string | null;
    size: number;
    content_type: string;
    added_at_ms: number;
  };
}
