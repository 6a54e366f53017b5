import { MAX_CID_LENGTH, MAX_NAME_LENGTH } from "@cidcast/protocols/node-api";
import { z } from "zod";
import type { Content } from "../../../content/index.ts";
import { CidcastError } from "../../../core/index.ts";
import type { Tenancy } from "../../../tenancy/index.ts";
import type { ConsoleSource } from "../../api/console-routes.ts";
import { MAX_ADD_BYTES, MAX_RESOURCE_BYTES, MAX_RESULTS } from "../../limits.ts";
import { badArguments } from "../../server/call-tool.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { JsonObject, RequestContext, Tool } from "../../types.ts";
import { refText } from "./content-tools.ts";
import { type ContentView, contentViewFor } from "./tenant-view.ts";

interface IpfsToolsComponents {
  readonly content: Content;
  readonly tenancy: Tenancy;
  /** Where the node's own facts come from; undefined: those tools answer `FEATURE_DISABLED`. */
  readonly node: Pick<ConsoleSource, "overview"> | undefined;
}

const READ = { readOnlyHint: true, openWorldHint: false } as const;
const hash = z.string().min(1).max(MAX_CID_LENGTH).describe("A CID");
const none = z.object({});

/**
 * What agents written for other IPFS servers call, under the names and arguments they know. They see and change what the
 * node's own tools of content do, and no more.
 */
export function ipfsTools(components: IpfsToolsComponents): Tool[] {
  const view = ({ principal }: RequestContext): ContentView =>
    contentViewFor(components.content, components.tenancy, principal);
  return [...contentTools(components, view), ...pinTools(view), ...nodeTools(components)];
}

type View = (context: RequestContext) => ContentView;

function contentTools({ content, tenancy }: IpfsToolsComponents, view: View): Tool[] {
  /** A file's bytes, as text where they are text. */
  const read = async (ref: string, context: RequestContext): Promise<JsonObject> => {
    const { principal, signal } = context;
    await view(context).require(ref);
    await using file = await content.open(ref, { signal });
    if (file.size > MAX_RESOURCE_BYTES) {
      throw new CidcastError(
        "PAYLOAD_TOO_LARGE",
        `${ref} has ${file.size} bytes: at most ${MAX_RESOURCE_BYTES} are answered, read ranges as a resource`,
      );
    }
    tenancy.quotas.checkEgress(principal.tenantId, file.size);
    const bytes = await file.read(0, file.size, { signal });
    tenancy.quotas.addEgress(principal.tenantId, bytes.length);
    const text = textOf(bytes);
    return {
      success: true,
      hash: ref,
      size: bytes.length,
      encoding: text === undefined ? "base64" : "utf-8",
      content: text ?? Buffer.from(bytes).toString("base64"),
    };
  };
  return [
    defineTool({
      name: "ipfs_add",
      title: "Add text",
      description: "Add text as a file; the answer is its CID",
      scopes: ["content:write"],
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      },
      input: z.object({
        content: z.string().max(MAX_ADD_BYTES),
        name: z.string().min(1).max(MAX_NAME_LENGTH).default("file.txt"),
      }),
      run: async ({ content: text, name }, context) => {
        const bytes = new TextEncoder().encode(text);
        if (bytes.length > MAX_ADD_BYTES)
          throw badArguments(`Content has at most ${MAX_ADD_BYTES} bytes here`);
        const source = async function* (): AsyncGenerator<Uint8Array> {
          yield bytes;
        };
        const added = await view(context).add(source(), {
          name,
          totalBytes: bytes.length,
          signal: context.signal,
        });
        return {
          structured: { success: true, cid: added.cid, Hash: added.cid, Name: name, Size: added.size },
        };
      },
    }),
    ...(["ipfs_cat", "ipfs_get"] as const).map(name =>
      defineTool({
        name,
        title: "Read a file",
        description: "A file of up to 1 MiB, as text or base64",
        scopes: ["content:read"],
        annotations: READ,
        input: z.object({ hash: refText }),
        run: async ({ hash: ref }, context) => ({ structured: await read(ref, context) }),
      }),
    ),
    defineTool({
      name: "ipfs_ls",
      title: "List a directory",
      description: `The first ${MAX_RESULTS} entries of a directory`,
      scopes: ["content:read"],
      annotations: READ,
      input: z.object({ hash: refText }),
      run: async ({ hash: ref }, context) => {
        await view(context).require(ref);
        const entries: JsonObject[] = [];
        for await (const { name, cid, type, size } of content.ls(ref, { signal: context.signal })) {
          if (entries.length >= MAX_RESULTS) break;
          entries.push({ Name: name, Hash: cid, Type: type, ...(size !== undefined && { Size: size }) });
        }
        return { structured: { success: true, hash: ref, entries } };
      },
    }),
  ];
}

function pinTools(view: View): Tool[] {
  return [
    defineTool({
      name: "ipfs_pin_add",
      title: "Pin content",
      description: "Keep content safe from garbage collection; fetches what is missing first",
      scopes: ["content:write"],
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
      input: z.object({ hash }),
      run: async ({ hash: cid }, context) => {
        await view(context).pin(cid, "", { signal: context.signal });
        return { structured: { success: true, Pins: [cid] } };
      },
    }),
    defineTool({
      name: "ipfs_pin_rm",
      title: "Unpin content",
      description: "Take the pin away, so that garbage collection may remove the content",
      scopes: ["content:write"],
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
      input: z.object({ hash }),
      run: async ({ hash: cid }, context) => {
        await view(context).unpin(cid, "", { signal: context.signal });
        return { structured: { success: true, Pins: [cid] } };
      },
    }),
    defineTool({
      name: "ipfs_pin_ls",
      title: "List pins",
      description: "CIDs that are pinned",
      scopes: ["content:read"],
      annotations: READ,
      input: none,
      run: async (_args, context) => {
        const cids = new Set((await view(context).pins()).map(pin => pin.cid));
        const pins = [...cids].slice(0, MAX_RESULTS);
        return { structured: { success: true, pins, total: cids.size } };
      },
    }),
  ];
}

function nodeTools({ node }: IpfsToolsComponents): Tool[] {
  const overview = async (): ReturnType<ConsoleSource["overview"]> => {
    if (node !== undefined) return node.overview();
    throw new CidcastError("FEATURE_DISABLED", "Only a running node tells about itself");
  };
  const about = (init: {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    readonly scope: string;
    readonly pick: (status: NodeFacts) => JsonObject;
  }): Tool =>
    defineTool({
      ...init,
      scopes: [init.scope],
      annotations: READ,
      input: none,
      run: async () => ({ structured: { success: true, ...init.pick(nodeFacts.parse(await overview())) } }),
    });
  return [
    about({
      name: "ipfs_id",
      title: "Peer id",
      description: "The node's peer id and version",
      scope: "basic",
      pick: ({ node: { peerId, version } }) => ({ ID: peerId ?? null, AgentVersion: `cidcast/${version}` }),
    }),
    about({
      name: "ipfs_version",
      title: "Version",
      description: "The node's version",
      scope: "basic",
      pick: ({ node: { version } }) => ({ Version: version }),
    }),
    about({
      name: "ipfs_stats",
      title: "Figures",
      description: "Content, peers and viewers of the whole node",
      scope: "admin",
      pick: ({ node: { contentCount, peers, sessions } }) => ({ content: contentCount, peers, sessions }),
    }),
    about({
      name: "ipfs_swarm_peers",
      title: "Peers",
      description: "Peers that the node is connected to",
      scope: "peers",
      pick: ({ peers }) => ({
        Peers: peers.slice(0, MAX_RESULTS).map(peer => ({ Peer: peer.peer_id, Addr: peer.address })),
      }),
    }),
  ];
}

/** What these tools tell of the node. */
const nodeFacts = z.object({
  node: z.object({
    peerId: z.string().optional(),
    version: z.string(),
    contentCount: z.number(),
    peers: z.number(),
    sessions: z.number(),
  }),
  peers: z.array(z.object({ peer_id: z.string(), address: z.string() })),
});
type NodeFacts = z.output<typeof nodeFacts>;

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
