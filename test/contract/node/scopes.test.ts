import { SCOPE_NAMES } from "@cidcast/protocols/tenancy";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type ServedNode, serveNode } from "./serve-node.ts";
import { bytesOf, makeTenant, rpcOf, type Who } from "./tenant-client.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

/** What each tool asks for. A tool that is not in here has no decision yet, and fails. */
const TOOL_SCOPES: Readonly<Record<string, readonly string[]>> = {
  echo: [],
  current_time: ["basic"],
  calculator: ["basic"],
  system_info: ["admin"],
  file_operations: ["files"],
  web_request: ["web"],
  secure_api: ["api"],
  content_search: ["content:read"],
  content_stat: ["content:read"],
  content_add: ["content:write"],
  content_pin: ["content:write"],
  content_unpin: ["content:write"],
  content_remove: ["content:write"],
  media_probe: ["media"],
  play: ["media"],
  media_frame: ["media"],
  media_captions: ["media"],
  media_prepare: ["media"],
  job_status: ["media"],
  job_cancel: ["media"],
  transfer: ["peers"],
  transfer_status: ["peers"],
  peers: ["peers"],
  check_connectivity: ["peers"],
  why_stalled: ["media"],
  ipfs_add: ["content:write"],
  ipfs_cat: ["content:read"],
  ipfs_get: ["content:read"],
  ipfs_ls: ["content:read"],
  ipfs_pin_add: ["content:write"],
  ipfs_pin_rm: ["content:write"],
  ipfs_pin_ls: ["content:read"],
  ipfs_id: ["basic"],
  ipfs_version: ["basic"],
  ipfs_stats: ["admin"],
  ipfs_swarm_peers: ["peers"],
};

/** What reading each kind of resource asks for. One that is not in here has no decision yet, and fails. */
const RESOURCE_SCOPES: Readonly<Record<string, string>> = {
  "ipfs://{cid}": "content:read",
  "ipfs://{cid}/{+path}": "content:read",
  "cidcast://events{?types,limit}": "events",
};

/** Prompts are texts for the caller to send on: they read nothing and do nothing, so everybody has them. */
const OPEN_PROMPTS = ["describe_media"];

/** What strangers may do with each libp2p protocol. One that is not in here has no decision yet, and fails. */
const PROTOCOL_DECISIONS: Readonly<Record<string, string>> = {
  "/ipfs/id/1.0.0": "everybody: who this peer is",
  "/ipfs/id/push/1.0.0": "everybody: who that peer is",
  "/ipfs/ping/1.0.0": "everybody",
  "/ipfs/bitswap/1.2.0": "everybody, or granted peers only by setting: blocks whose CID they know",
  "/ipfs-kit/content/1.0.0": "everybody, or granted peers only by setting: blocks whose CID they know",
  "/ipfs-kit/metadata/1.0.0": "reading everybody, writing by grant or the node's token",
  "/ipfs-kit/file/1.0.0": "everybody: what they know the CID of",
  "/ipfs-kit/transfer/1.0.0": "everybody: what they know the CID of",
  "/ipfs-kit/mcp/1.0.0": "reading what they know the CID of; more by token or grant",
  "/ipfs-kit/events/1.0.0": "nobody without a token",
  "/libp2p/circuit/relay/0.2.0/stop": "relays that this node has a reservation with",
};

let served: ServedNode;
beforeAll(async () => {
  served = await serveNode({
    webrtc: { enabled: true },
    p2p: { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] },
    mcp: { ipfsNames: true },
  });
});
afterAll(async () => served?.[Symbol.asyncDispose]());

const tenant = (scopes: readonly string[]) => makeTenant(served, scopes);
const rpc = (who: Who, method: string, params?: object) => rpcOf(served, who, method, params);

describe("what is decided", () => {
  test("every tool asks for the scopes that were decided for it, and its list shows no other", async () => {
    const { tools } = served.node.mcp!.definition;
    expect(Object.fromEntries([...tools.values()].map(tool => [tool.name, [...tool.scopes]]))).toEqual(
      TOOL_SCOPES,
    );
  });

  test("scope by scope, a token may call what the scope is for and nothing else, whoever's it is", async () => {
    for (const scope of ["none", ...SCOPE_NAMES]) {
      const tenants = [await tenant([scope]), await tenant([scope])];
      const allowed = Object.entries(TOOL_SCOPES)
        .filter(([, scopes]) => scopes.every(needed => needed === scope))
        .map(([name]) => name)
        .toSorted();
      for (const who of tenants) {
        const listed = (await rpc(who, "tools/list")).result.tools.map((tool: { name: string }) => tool.name);
        expect([scope, listed.toSorted()]).toEqual([scope, allowed]);
        for (const name of Object.keys(TOOL_SCOPES)) {
          // Without arguments most end in an error of their own: that comes after the decision.
          const { error } = await rpc(who, "tools/call", { name, arguments: {} });
          const decision = error?.code === -32403 ? "refused" : "called";
          expect([scope, name, decision]).toEqual([
            scope,
            name,
            allowed.includes(name) ? "called" : "refused",
          ]);
        }
      }
    }
  });

  test("every kind of resource and every prompt was decided on", () => {
    const { resources, prompts } = served.node.mcp!.definition;
    const templates = resources.flatMap(provider => provider.templates.map(({ uriTemplate }) => uriTemplate));
    expect(templates.toSorted()).toEqual(Object.keys(RESOURCE_SCOPES).toSorted());
    expect(prompts.map(({ prompt }) => prompt.name)).toEqual(OPEN_PROMPTS);
  });

  test("scope by scope, a token lists and reads the resources that the scope is for, and prompts", async () => {
    for (const scope of ["none", ...SCOPE_NAMES]) {
      const who = await tenant([scope]);
      const view = served.node.tenancy!.contentView(served.node.content, who.tenantId);
      const directory = await view.addDirectory(
        (async function* () {
          yield { path: "a.txt", content: bytesOf(`of ${who.tenantId}`) };
        })(),
        { name: "folder" },
      );
      const file = await view.add(bytesOf(`alone of ${who.tenantId}`), { name: "b.txt" });
      const uris: Record<string, string> = {
        "ipfs://{cid}": `ipfs://${file.cid}`,
        "ipfs://{cid}/{+path}": `ipfs://${directory.cid}/a.txt`,
        "cidcast://events{?types,limit}": "cidcast://events?limit=1",
      };
      for (const [template, needed] of Object.entries(RESOURCE_SCOPES)) {
        const { error } = await rpc(who, "resources/read", { uri: uris[template] });
        expect([scope, template, error?.code]).toEqual([
          scope,
          template,
          scope === needed ? undefined : -32403,
        ]);
      }
      const { resources } = (await rpc(who, "resources/list")).result;
      const listed = resources.map((resource: { uri: string }) => resource.uri);
      const ofScope: Record<string, string[]> = {
        "content:read": [`ipfs://${directory.cid}`, `ipfs://${file.cid}`].toSorted(),
        events: ["cidcast://events"],
      };
      expect([scope, listed.toSorted()]).toEqual([scope, ofScope[scope] ?? []]);
      expect((await rpc(who, "prompts/list")).result.prompts).toHaveLength(OPEN_PROMPTS.length);
      for (const name of OPEN_PROMPTS) {
        const got = await rpc(who, "prompts/get", { name, arguments: { cid: directory.cid } });
        expect([scope, got.error]).toEqual([scope, undefined]);
      }
    }
  });

  test("every libp2p protocol that is answered was decided on", () => {
    expect([...served.node.peer!.protocols].toSorted()).toEqual(Object.keys(PROTOCOL_DECISIONS).toSorted());
  });
});
