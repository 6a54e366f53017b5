import { join } from "node:path";
import { z } from "zod";
import type { Principal } from "../../../core/index.ts";
import type { Tenancy } from "../../../tenancy/index.ts";
import { MAX_FILE_BYTES, MAX_FILE_PATH_LENGTH } from "../../limits.ts";
import { badArguments } from "../../server/call-tool.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { Tool } from "../../types.ts";
import { createTenantFiles, type TenantFiles } from "./tenant-files.ts";

/** Directory of callers who belong to no tenant. Tenants' ids are UUIDs, so none can have it. */
const OWNER_DIRECTORY = "_owner";

/** `file_operations`: scope files. Each tenant has a directory of its own below `directory`. */
export function fileOperationsTool(directory: string, tenancy: Tenancy): Tool {
  const byTenant = new Map<string, TenantFiles>();
  const filesOf = (principal: Principal): TenantFiles => {
    const name = principal.tenantId ?? OWNER_DIRECTORY;
    let files = byTenant.get(name);
    if (files === undefined) {
      files = createTenantFiles(join(directory, name));
      byTenant.set(name, files);
    }
    return files;
  };
  return defineTool({
    name: "file_operations",
    title: "File operations",
    description: "Perform tenant-isolated file operations: read, write, list, exists",
    scopes: ["files"],
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input: z.object({
      operation: z.enum(["read", "write", "list", "exists"]).describe("What to do"),
      path: z.string().max(MAX_FILE_PATH_LENGTH).default("").describe("Below the tenant's own directory"),
      content: z.string().max(MAX_FILE_BYTES).optional().describe("What to write, as text; for write only"),
    }),
    run: async ({ operation, path, content }, { principal }) => {
      const files = filesOf(principal);
      switch (operation) {
        default:
        case "read":
          return readable(await files.read(path));
        case "list": {
          const { entries, more } = await files.list(path);
          return { text: JSON.stringify(entries), structured: { entries, more } };
        }
        case "exists": {
          const type = await files.exists(path);
          return {
            text: String(type !== undefined),
            structured: { exists: type !== undefined, ...(type && { type }) },
          };
        }
        case "write": {
          if (content === undefined) throw badArguments("`write` needs `content`");
          const bytes = new TextEncoder().encode(content);
          const { tenantId } = principal;
          const kept = tenantId === undefined ? 0 : await tenancy.content.usedBytes(tenantId);
          await files.write(path, bytes, (used, more) =>
            tenancy.quotas.checkStorage(tenantId, used + kept, more),
          );
          return { text: `Wrote ${bytes.length} bytes to ${path}`, structured: { path, size: bytes.length } };
        }
      }
    },
  });
}

/** Text as it is; anything else in base64. */
function readable(bytes: Uint8Array): { text: string; structured: Record<string, unknown> } {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { text, structured: { content: text, encoding: "utf-8", size: bytes.length } };
  } catch {
    const text = Buffer.from(bytes).toString("base64");
    return { text, structured: { content: text, encoding: "base64", size: bytes.length } };
  }
}
