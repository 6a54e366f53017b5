import { Readable } from "node:stream";
import type { Content } from "../../content/index.ts";
import type { AuditRecord, Tenancy } from "../../tenancy/index.ts";
import { type McpRoute, ok, type RouteInit } from "./route.ts";

/** The log of tool calls: exported, checked, kept as content. `content` undefined: it is not kept as content. */
export function auditRoutes(
  route: (init: Omit<RouteInit, "access">) => McpRoute,
  tenancy: Tenancy,
  content: Pick<Content, "add"> | undefined,
): McpRoute[] {
  return [
    route({
      method: "GET",
      path: "/api/admin/audit",
      summary: "Every tool call of a tenant, as lines of JSON, oldest first",
      handle: async ({ query }) => ({
        status: 200,
        headers: { "content-type": "application/x-ndjson" },
        body: linesOf(tenancy.audit.export(query.get("tenant_id") ?? "")),
      }),
    }),
    route({
      method: "GET",
      path: "/api/admin/audit/verify",
      summary: "Whether a tenant's audit chain is whole",
      handle: async ({ query }) => {
        const tenantId = query.get("tenant_id") ?? "";
        const found = await tenancy.audit.verify(tenantId);
        return ok({
          tenant_id: tenantId,
          intact: found === undefined,
          ...(found !== undefined && { broken_at: found.seq, reason: found.reason }),
        });
      },
    }),
    ...(content === undefined ? [] : [keepRoute(route, tenancy, content)]),
  ];
}

async function* linesOf(records: AsyncIterable<AuditRecord>): AsyncGenerator<string> {
  for await (const record of records) {
    const line = {
      seq: record.seq,
      tenant_id: record.tenantId,
      session_id: record.sessionId,
      caller: record.caller,
      tool: record.tool,
      arguments: record.arguments,
      result: record.result ?? null,
      error: record.error ?? null,
      duration_ms: record.durationMs,
      at_ms: record.atMs,
      previous_hash: record.previousHash,
      hash: record.hash,
    };
    yield `${JSON.stringify(line)}\n`;
  }
}

/** An export that cannot be changed any more: its CID, kept elsewhere, shows also a cut-off end. */
function keepRoute(
  route: (init: Omit<RouteInit, "access">) => McpRoute,
  tenancy: Tenancy,
  content: Pick<Content, "add">,
): McpRoute {
  return route({
    method: "POST",
    path: "/api/admin/audit/export",
    summary: "Adds every tool call of a tenant to the node's content, as lines of JSON, and answers its CID",
    handle: async ({ query, signal }) => {
      const tenantId = query.get("tenant_id") ?? "";
      const { cid, size } = await content.add(
        Readable.from(bytesOf(linesOf(tenancy.audit.export(tenantId)))),
        {
          name: `audit-${tenantId === "" ? "owner" : tenantId}.ndjson`,
          ...(signal && { signal }),
        },
      );
      return ok({ tenant_id: tenantId, cid, size });
    },
  });
}

async function* bytesOf(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) yield Buffer.from(line);
}
