import {
  connectBody,
  connectResult,
  doneResult,
  idResult,
  nodeStatus,
  peersResult,
  probeResult,
  versionResult,
} from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { CidcastError, withTimeout } from "../../core/index.ts";
import { findWithin, refParams } from "../gateway/ref.ts";
import { route } from "../routing/route.ts";
import type { PeerControl } from "../types.ts";
import type { ApiComponents } from "./types.ts";

/** Longest that a probe may take once the content is being read, milliseconds: some files have their index at the end. */
const PROBE_TIMEOUT_FACTOR = 4;

/** The node itself, its peers and its media. */
export function nodeRoutes(app: FastifyInstance, components: ApiComponents): void {
  aboutRoutes(app, components);
  peerRoutes(app, components);
  const { media, limits, requestShutdown } = components;
  route(app, {
    method: "GET",
    url: "/api/v0/probe/*",
    action: "media:probe",
    resource: ({ cid }) => ({ cid }),
    params: refParams,
    answer: probeResult,
    summary: "Tracks of a media file and how each would play",
    handler: async ({ params: ref, signal }) => {
      if (media === undefined)
        throw new CidcastError("FEATURE_DISABLED", "Media is switched off on this node");
      return findWithin(limits.findTimeoutMs * PROBE_TIMEOUT_FACTOR, ref, { signal }, inner =>
        media.probe(ref.ref, { signal: inner }),
      );
    },
  });
  route(app, {
    method: "POST",
    url: "/api/v0/shutdown",
    action: "node:admin",
    answer: doneResult,
    summary: "Stops the node",
    handler: async ({ reply }) => {
      reply.raw.once("close", requestShutdown);
      return { ok: true };
    },
  });
}

function aboutRoutes(app: FastifyInstance, { peer, status, init }: ApiComponents): void {
  route(app, {
    method: "GET",
    url: "/api/v0/id",
    action: "node:status",
    answer: idResult,
    summary: "Peer id and addresses",
    handler: async () => ({
      ...(peer !== undefined && { peerId: peer.peerId }),
      addresses: peer?.addresses() ?? [],
      agent: `cidcast/${init.version}`,
      ...(peer?.reachability !== undefined && { reachability: peer.reachability() }),
    }),
  });
  route(app, {
    method: "GET",
    url: "/api/v0/version",
    action: "node:status",
    answer: versionResult,
    summary: "Version",
    handler: async () => ({ name: "cidcast", version: init.version, node: process.version }),
  });
  route(app, {
    method: "GET",
    url: "/api/v0/status",
    action: "node:status",
    answer: nodeStatus,
    summary: "How the node is",
    handler: async () => status(),
  });
}

function peerRoutes(app: FastifyInstance, { peer, limits }: ApiComponents): void {
  const enabled = (): PeerControl => {
    if (peer === undefined) {
      throw new CidcastError(
        "FEATURE_DISABLED",
        "libp2p is switched off or could not start: /readyz has the reason",
      );
    }
    return peer;
  };
  route(app, {
    method: "GET",
    url: "/api/v0/peers",
    action: "peers:read",
    answer: peersResult,
    summary: "Connected peers",
    handler: async () => ({ peers: enabled().peers() }),
  });
  route(app, {
    method: "POST",
    url: "/api/v0/peers/connect",
    action: "peers:connect",
    body: connectBody,
    answer: connectResult,
    summary: "Dials a peer",
    handler: async ({ body, signal }) =>
      withTimeout(
        limits.dialTimeoutMs,
        "dialling",
        inner => enabled().connect(body.address, { signal: inner }),
        {
          signal,
        },
      ),
  });
}
