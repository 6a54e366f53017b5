import type { ServedNode } from "./serve-node.ts";

/** A tenant with a token. */
export interface Who {
  readonly tenantId: string;
  readonly token: string;
  readonly tokenId: string;
}

/** Makes a tenant with a token of these scopes. */
export async function makeTenant({ node }: ServedNode, scopes: readonly string[]): Promise<Who> {
  const { tenants, tokens } = node.tenancy!;
  const { id: tenantId } = await tenants.create({ name: "acme" });
  const { id: tokenId, token } = await tokens.create({ tenantId, scopes, expiresInDays: 1 });
  return { tenantId, token, tokenId };
}

/** Asks over `POST /api/mcp/rpc/`. */
export async function rpcOf({ url }: ServedNode, who: Who, method: string, params: object = {}) {
  const response = await fetch(`${url}/api/mcp/rpc/`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${who.token}`,
      "x-tenant-id": who.tenantId,
      "content-type": "application/json",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  // Answers of every shape are looked at.
  // oxlint-disable-next-line typescript/no-explicit-any
  return (await response.json()) as any;
}

/** A text as content to add. */
export async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
