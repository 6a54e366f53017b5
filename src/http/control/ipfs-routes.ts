import { controlAddJsonBody, controlCidBody, controlConnectBody } from "@cidcast/protocols/node-api/control";
import type { FastifyInstance } from "fastify";
import type { z } from "zod";
import { CidcastError, withTimeout } from "../../core/index.ts";
import { addedBody } from "../api/add-parts.ts";
import { type ApiComponents, fileComponents } from "../api/types.ts";
import { sendFile } from "../gateway/file.ts";
import { refParams, resolveRef } from "../gateway/ref.ts";
import { route } from "../routing/route.ts";

const PREFIX = "/api/v0/mcp/ipfs";

/** Verbs on content and peers under the names that existing tools use; `add` stands beside the other uploads. */
export function ipfsRoutes(app: FastifyInstance, components: ApiComponents): void {
  aboutRoutes(app, components);
  readRoutes(app, components);
  pinRoutes(app, components);
  swarmRoutes(app, components);
}

function aboutRoutes(app: FastifyInstance, { init, peer, status, contentFor }: ApiComponents): void {
  route(app, {
    method: "GET",
    url: `${PREFIX}/version`,
    action: "node:status",
    summary: "Control: version",
    handler: async () => ({ success: true, version: init.version, Version: init.version, name: "cidcast" }),
  });
  route(app, {
    method: "GET",
    url: `${PREFIX}/id`,
    action: "node:status",
    summary: "Control: peer id and addresses",
    handler: async () => ({
      success: true,
      peer_id: peer?.peerId ?? null,
      ID: peer?.peerId ?? null,
      addresses: peer?.addresses() ?? [],
      agent_version: `cidcast/${init.version}`,
    }),
  });
  route(app, {
    method: "GET",
    url: `${PREFIX}/stats`,
    action: "node:status",
    summary: "Control: how much there is",
    handler: async () => {
      const { contentCount, peers, sessions } = await status();
      return { success: true, stats: { content_count: contentCount, peers, webrtc_connections: sessions } };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/add/json`,
    action: "content:add",
    body: controlAddJsonBody,
    summary: "Control: adds a text",
    handler: async ({ body, principal, signal }) => {
      const name = body.name ?? body.filename;
      const record = await contentFor(principal).add(textOf(body.content), {
        signal,
        pin: "",
        ...(name !== undefined && { name }),
      });
      return { success: true, ...addedBody(record), Hash: record.cid };
    },
  });
}

function readRoutes(app: FastifyInstance, components: ApiComponents): void {
  const { content, limits } = components;
  const file = fileComponents(components);
  for (const [verb, download] of [
    ["cat", false],
    ["get", true],
  ] as const) {
    route(app, {
      method: ["GET", "HEAD"],
      url: `${PREFIX}/${verb}/*`,
      action: "content:read",
      resource: ({ cid }) => ({ cid }),
      params: refParams,
      summary: download ? "Control: a file, to be kept" : "Control: the bytes of a file",
      handler: async ({ params: ref, request, reply, signal }) => {
        const target = await resolveRef(content, ref, limits.findTimeoutMs, { signal });
        if (target.type !== "file") throw new CidcastError("NOT_A_FILE", `${ref.ref} is a directory`);
        const { cid } = target;
        return sendFile(file, { ref, cid, request, reply, signal, download, filename: undefined });
      },
    });
  }
}

/** Tokens of tenants are for one piece of content at a time, which the address has to name: `/api/v0/pin/<cid>`. */
function pinRoutes(app: FastifyInstance, { contentFor }: ApiComponents): void {
  const cidOf = (body: z.output<typeof controlCidBody>): string => body.cid ?? body.hash ?? "";
  route(app, {
    method: "POST",
    url: `${PREFIX}/pin/add`,
    action: "content:pin",
    body: controlCidBody,
    summary: "Control: pins",
    handler: async ({ body, principal, signal }) => {
      const pin = await contentFor(principal).pin(cidOf(body), {
        signal,
        ...(body.name !== undefined && { name: body.name }),
      });
      return { success: true, cid: pin.cid, pinned: true, Pins: [pin.cid] };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/pin/rm`,
    action: "content:pin",
    body: controlCidBody,
    summary: "Control: takes a pin away",
    handler: async ({ body, principal, signal }) => {
      await contentFor(principal).unpin(cidOf(body), {
        signal,
        ...(body.name !== undefined && { name: body.name }),
      });
      return { success: true, cid: cidOf(body), unpinned: true, Pins: [cidOf(body)] };
    },
  });
  route(app, {
    method: ["GET", "POST"],
    url: `${PREFIX}/pin/ls`,
    action: "content:list",
    summary: "Control: pins",
    handler: async ({ principal }) => {
      const pins = await contentFor(principal).pins();
      return {
        success: true,
        pins: pins.map(({ cid, name }) => ({ cid, name, type: "recursive" })),
        count: pins.length,
      };
    },
  });
}

function swarmRoutes(app: FastifyInstance, { peer, limits }: ApiComponents): void {
  const enabled = (): NonNullable<typeof peer> => {
    if (peer !== undefined) return peer;
    throw new CidcastError("FEATURE_DISABLED", "libp2p is switched off or could not start");
  };
  route(app, {
    method: "GET",
    url: `${PREFIX}/swarm/peers`,
    action: "peers:read",
    summary: "Control: connected peers",
    handler: async () => {
      const peers = enabled().peers();
      return {
        success: true,
        peers: peers.map(({ peerId, addresses }) => ({ peer: peerId, peer_id: peerId, addr: addresses[0] })),
        count: peers.length,
      };
    },
  });
  route(app, {
    method: "POST",
    url: `${PREFIX}/swarm/connect`,
    action: "peers:connect",
    body: controlConnectBody,
    summary: "Control: dials a peer",
    handler: async ({ body, signal }) => {
      const address = body.address ?? body.peer_addr ?? "";
      const { peerId } = await withTimeout(
        limits.dialTimeoutMs,
        "dialling",
        inner => enabled().connect(address, { signal: inner }),
        { signal },
      );
      return { success: true, peer_id: peerId, address };
    },
  });
}

async function* textOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
