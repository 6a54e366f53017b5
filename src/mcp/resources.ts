import type { ReadResourceResult } from "@modelcontextprotocol/server";
import type { Content } from "../content/index.ts";
import { CidcastError, type Principal } from "../core/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { MAX_COMPLETIONS, MAX_RESOURCE_BYTES, MAX_RESULTS } from "./limits.ts";
import { contentViewFor } from "./tools/node/tenant-view.ts";
import type { CompletionQuery, PromptDefinition, RequestContext, ResourceProvider } from "./types.ts";

/** Content never changes under its CID: clients may keep it as long as they like, but each for itself. */
const IMMUTABLE_TTL_MS = 365 * 24 * 60 * 60 * 1000;
const SCHEME = "ipfs://";

/** Content as resources: `ipfs://<cid>`, `ipfs://<cid>/<path>`, with `?start=&end=` for a range of bytes. */
export function contentResources(content: Content, tenancy: Tenancy): ResourceProvider {
  return {
    templates: [
      {
        uriTemplate: "ipfs://{cid}",
        name: "content",
        title: "Content by CID",
        description: "A file of this node or its peers. Add ?start=<byte>&end=<byte> for a range.",
      },
      {
        uriTemplate: "ipfs://{cid}/{+path}",
        name: "content-path",
        title: "File in a directory",
        description: "A file inside a directory, by its path",
      },
    ],
    async list({ principal }) {
      if (!mayReadContent(principal)) return [];
      const view = contentViewFor(content, tenancy, principal);
      const { records } = await view.search({ limit: MAX_RESULTS, offset: 0 });
      return records.map(record => ({
        uri: SCHEME + record.cid,
        name: record.name ?? record.cid,
        mimeType: record.contentType,
        size: record.size,
      }));
    },
    async read(uri, context) {
      if (!uri.startsWith(SCHEME)) return undefined;
      if (!mayReadContent(context.principal)) {
        throw new CidcastError(
          "FORBIDDEN",
          "Insufficient permissions to read resources: content:read is needed",
        );
      }
      return readContent(content, tenancy, uri, context);
    },
  };
}

async function readContent(
  content: Content,
  tenancy: Tenancy,
  uri: string,
  { principal, signal }: RequestContext,
): Promise<ReadResourceResult> {
  const [path = "", query = ""] = uri.slice(SCHEME.length).split("?", 2);
  const ref = decodePath(path);
  await contentViewFor(content, tenancy, principal).require(ref);
  await using file = await content.open(ref, { signal });
  const parameters = new URLSearchParams(query);
  const start = byte(parameters.get("start")) ?? 0;
  const end = Math.min(byte(parameters.get("end")) ?? file.size, file.size);
  if (start > end)
    throw new CidcastError("RANGE_NOT_SATISFIABLE", `The range begins after its end, or after ${file.size}`);
  if (end - start > MAX_RESOURCE_BYTES) {
    throw new CidcastError(
      "PAYLOAD_TOO_LARGE",
      `${ref} has ${file.size} bytes: read at most ${MAX_RESOURCE_BYTES} at a time with ?start=&end=`,
    );
  }
  tenancy.quotas.checkEgress(principal.tenantId, end - start);
  const bytes = await file.read(start, end, { signal });
  tenancy.quotas.addEgress(principal.tenantId, bytes.length);
  const mimeType = await content.contentTypeOf(ref, { signal });
  return {
    contents: [
      { uri, mimeType, ...(asText(bytes, mimeType) ?? { blob: Buffer.from(bytes).toString("base64") }) },
    ],
    ttlMs: IMMUTABLE_TTL_MS,
    cacheScope: principal.tenantId === undefined ? "public" : "private",
  };
}

function mayReadContent(principal: Principal): boolean {
  return principal.scopes.has("*") || principal.scopes.has("content:read");
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new CidcastError("INVALID_REQUEST", "The resource's URI is not encoded well", { cause });
  }
}

function byte(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new CidcastError("INVALID_REQUEST", "A range is given in whole bytes");
  return Number(text);
}

function asText(bytes: Uint8Array, mimeType: string): { readonly text: string } | undefined {
  if (!/^text\/|[/+](json|xml)$/.test(mimeType)) return undefined;
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return undefined;
  }
}

/** Completes CIDs, and names of content to their CIDs, among what the caller may see. */
export async function completeContent(
  content: Content,
  tenancy: Tenancy,
  query: CompletionQuery,
  { principal }: RequestContext,
): Promise<{ readonly values: string[]; readonly total: number; readonly hasMore: boolean }> {
  const none = { values: [], total: 0, hasMore: false };
  if (query.argument !== "cid") return none;
  // A client that completes for content it may not read learns nothing.
  if (!mayReadContent(principal)) return none;
  const view = contentViewFor(content, tenancy, principal);
  const { records, total } = await view.search({
    search: query.value.slice(0, 200),
    limit: MAX_COMPLETIONS,
    offset: 0,
  });
  return { values: records.map(record => record.cid), total, hasMore: total > records.length };
}

/** Prompts of the node. */
export const contentPrompts: readonly PromptDefinition[] = [
  {
    prompt: {
      name: "describe_media",
      title: "Describe a media file",
      description: "Asks for a description of a media file and whether it plays",
      arguments: [{ name: "cid", description: "The file's CID", required: true }],
    },
    get: async args => ({
      messages: [
        {
          role: "user",
          content: {
            type: "text",
            text: `Use content_stat and media_probe on ${args["cid"] ?? ""} and describe the file: what it is, how long, which tracks it has, and whether and why each one plays as it is or has to be encoded.`,
          },
        },
      ],
    }),
  },
];
