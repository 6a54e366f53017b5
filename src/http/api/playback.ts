import {
  createdPlayback,
  createPlaybackBody,
  playbackList,
  type PlaybackTokenBody,
} from "@cidcast/protocols/playback";
import { doneResult } from "@cidcast/protocols/node-api";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseCid } from "../../content/index.ts";
import { CidcastError } from "../../core/index.ts";
import type { PlaybackTokenInfo } from "../../tenancy/index.ts";
import type { TenantDoor } from "../door/tenants.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

const URL = "/api/v0/playback-tokens";

/** Tokens that let others watch one piece of content (protocols/playback/v1/spec.md). */
export function playbackRoutes(app: FastifyInstance, { tenants }: ApiComponents): void {
  const door = (): TenantDoor => {
    if (tenants !== undefined) return tenants;
    throw new CidcastError("FEATURE_DISABLED", "There are no tokens on this node but its own");
  };
  route(app, {
    method: "POST",
    url: URL,
    action: "media:share",
    body: createPlaybackBody,
    answer: createdPlayback,
    summary: "Makes a token that lets its holder watch one piece of content",
    handler: async ({ body, principal, reply }) => {
      const { content, playback } = door();
      for (const cid of [body.cid, body.manifest]) {
        if (cid === undefined) continue;
        parseCid(cid);
        await content.requireRead(principal, cid);
      }
      const { token, ...info } = await playback.create(principal, body);
      const path = `/play/${encodeURIComponent(info.cid)}?token=${token}`;
      return reply
        .code(201)
        .header("cache-control", "no-store")
        .send({ ...infoBody(info), token, path });
    },
  });
  route(app, {
    method: "GET",
    url: URL,
    action: "media:share",
    answer: playbackList,
    summary: "Playback tokens that the caller has made and that have not expired",
    handler: async ({ principal }) => ({
      tokens: (await door().playback.list(principal)).map(infoBody),
    }),
  });
  route(app, {
    method: "DELETE",
    url: `${URL}/:id`,
    action: "media:share",
    params: z.object({ id: z.string().min(1).max(64) }),
    answer: doneResult,
    summary: "Ends a playback token, and all that were made from it, at once",
    handler: async ({ params, principal }) => {
      await door().playback.revoke(principal, params.id);
      return { ok: true };
    },
  });
}

function infoBody(info: PlaybackTokenInfo): PlaybackTokenBody {
  const { id, cid, manifest, maxQuality, viewerKey, expiresAtMs, createdAtMs, active } = info;
  return {
    id,
    cid,
    ...(manifest !== undefined && { manifest }),
    ...(maxQuality !== undefined && { maxQuality }),
    ...(viewerKey !== undefined && { viewerKey }),
    expiresAtMs,
    createdAtMs,
    active,
  };
}
