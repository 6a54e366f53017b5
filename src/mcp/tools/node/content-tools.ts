import { MAX_CID_LENGTH, MAX_NAME_LENGTH, MAX_SEARCH_LENGTH } from "@cidcast/protocols/node-api";
import type { ContentBlock, ToolAnnotations } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { Content } from "../../../content/index.ts";
import { CidcastError } from "../../../core/index.ts";
import type { Tenancy, TenantContentRecord } from "../../../tenancy/index.ts";
import { MAX_ADD_BYTES, MAX_RESULTS } from "../../limits.ts";
import { badArguments } from "../../server/call-tool.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { RequestContext, Tool } from "../../types.ts";
import { type ContentView, contentViewFor, type Removal } from "./tenant-view.ts";

const cid = z.string().min(1).max(MAX_CID_LENGTH).describe("A CID");
export const refText = z.string().min(1).max(2048).describe("A CID, or a CID and a path: bafy…/dir/film.mp4");
const pinName = z.string().max(128).default("").describe("Name of the pin");
const record = z.object({
  cid: z.string(),
  name: z.string().optional(),
  size: z.number(),
  content_type: z.string(),
  added_at: z.string(),
});
const removal = z.object({
  done: z.boolean(),
  removes: z.object({ record: record.optional(), pins: z.array(z.string()) }),
  next: z.string().optional(),
});
const confirm = z
  .boolean()
  .default(false)
  .describe("Without it nothing is changed: the answer says what would be");

/** Tools over the content domain. */
export function contentTools(content: Content, tenancy: Tenancy): Tool[] {
  const view = ({ principal }: RequestContext): ContentView => contentViewFor(content, tenancy, principal);
  const READ = { readOnlyHint: true, openWorldHint: false } as const;
  const DESTROY = {
    readOnlyHint: false,
    destructiveHint: true,
    idempotentHint: true,
    openWorldHint: false,
  } as const;
  return [
    defineTool({
      name: "content_search",
      title: "Search content",
      description: "Find content by a part of its name or the beginning of its CID; newest first",
      scopes: ["content:read"],
      annotations: READ,
      input: z.object({
        query: z.string().max(MAX_SEARCH_LENGTH).default(""),
        limit: z.number().int().min(1).max(MAX_RESULTS).default(20),
        offset: z.number().int().min(0).default(0),
      }),
      output: z.object({ results: z.array(record), total: z.number() }),
      run: async ({ query, limit, offset }, context) => {
        const { records, total } = await view(context).search({ search: query, limit, offset });
        const results = records.map(toRecord);
        return { structured: { results, total }, content: records.map(linkTo) };
      },
    }),
    defineTool({
      name: "content_stat",
      title: "Content facts",
      description: "Size and kind of content, and how much of it this node has",
      scopes: ["content:read"],
      annotations: READ,
      input: z.object({ ref: refText }),
      output: z.object({
        cid: z.string(),
        type: z.enum(["file", "directory"]),
        size: z.number(),
        local_blocks: z.number(),
        complete: z.boolean(),
        record: record.optional(),
      }),
      run: async ({ ref }, context) => {
        const seen = view(context);
        await seen.require(ref);
        const stat = await content.stat(ref, { signal: context.signal });
        const found = await seen.record(stat.cid);
        return {
          structured: {
            cid: stat.cid,
            type: stat.type,
            size: stat.size,
            local_blocks: stat.localBlocks,
            complete: stat.complete,
            ...(found && { record: toRecord(found) }),
          },
        };
      },
    }),
    defineTool({
      name: "content_add",
      title: "Add content",
      description: "Add a file of up to 3 MiB, given as text or base64; the answer is its CID",
      scopes: ["content:write"],
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      },
      input: z.object({
        name: z.string().min(1).max(MAX_NAME_LENGTH).optional(),
        text: z.string().max(MAX_ADD_BYTES).optional(),
        base64: z
          .base64()
          .max(MAX_ADD_BYTES * 1.4)
          .optional(),
      }),
      output: record,
      run: async ({ name, text, base64 }, context) => {
        if ((text === undefined) === (base64 === undefined))
          throw badArguments("Give either `text` or `base64`");
        const bytes =
          text === undefined ? Buffer.from(base64 ?? "", "base64") : new TextEncoder().encode(text);
        if (bytes.length > MAX_ADD_BYTES)
          throw badArguments(`Content has at most ${MAX_ADD_BYTES} bytes here`);
        const added = await view(context).add(once(bytes), {
          ...(name !== undefined && { name }),
          totalBytes: bytes.length,
          signal: context.signal,
        });
        return { structured: toRecord(added), content: [linkTo(added)] };
      },
    }),
    pinTool(view),
    unpinTool(view, DESTROY),
    removeTool(view, DESTROY),
  ];
}

type View = (context: RequestContext) => ContentView;

function pinTool(view: View): Tool {
  return defineTool({
    name: "content_pin",
    title: "Pin content",
    description: "Keep content safe from garbage collection; fetches what is missing first",
    scopes: ["content:write"],
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    input: z.object({ cid, name: pinName }),
    output: z.object({ cid: z.string(), pins: z.array(z.string()) }),
    run: async ({ cid, name }, context) => {
      const seen = view(context);
      await seen.pin(cid, name, { signal: context.signal });
      return { structured: { cid, pins: await seen.pinNames(cid) } };
    },
  });
}

function unpinTool(view: View, annotations: ToolAnnotations): Tool {
  return defineTool({
    name: "content_unpin",
    title: "Unpin content",
    description:
      "Take a pin away, so that garbage collection may remove the content. Changes nothing without `confirm`.",
    scopes: ["content:write"],
    annotations,
    input: z.object({ cid, name: pinName, confirm }),
    output: removal,
    run: async ({ cid, name, confirm }, context) => {
      const seen = view(context);
      const pins = await seen.pinNames(cid);
      if (!pins.includes(name)) {
        throw new CidcastError("PIN_NOT_FOUND", `${cid} is not pinned under ${JSON.stringify(name)}`);
      }
      if (confirm) await seen.unpin(cid, name, { signal: context.signal });
      return { structured: outcome({ pins: [name] }, confirm) };
    },
  });
}

function removeTool(view: View, annotations: ToolAnnotations): Tool {
  return defineTool({
    name: "content_remove",
    title: "Remove content",
    description: "Take content and its pins away. Changes nothing without `confirm`.",
    scopes: ["content:write"],
    annotations,
    input: z.object({ cid, confirm }),
    output: removal,
    run: async ({ cid, confirm }, context) => {
      const seen = view(context);
      const removed = await seen.removal(cid);
      if (confirm) await seen.remove(cid, { signal: context.signal });
      return { structured: outcome(removed, confirm) };
    },
  });
}

function outcome(removed: Partial<Removal> & Pick<Removal, "pins">, done: boolean) {
  return {
    done,
    removes: { ...(removed.record && { record: toRecord(removed.record) }), pins: [...removed.pins] },
    ...(!done && { next: "Nothing was changed. Call again with confirm: true to do it." }),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function toRecord(found: TenantContentRecord) {
  return {
    cid: found.cid,
    ...(found.name !== undefined && { name: found.name }),
    size: found.size,
    content_type: found.contentType,
    added_at: new Date(found.addedAtMs).toISOString(),
  };
}

function linkTo(found: TenantContentRecord): ContentBlock {
  return {
    type: "resource_link",
    uri: `ipfs://${found.cid}`,
    name: found.name ?? found.cid,
    mimeType: found.contentType,
    size: found.size,
  };
}
