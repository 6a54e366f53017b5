import { existsSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import type { ApiComponents } from "../api/types.ts";
import { wantsJson } from "../gateway/routes.ts";
import { route } from "../routing/route.ts";
import { CidcastError } from "../../core/index.ts";
import { missingPagesHtml } from "./missing.ts";

/** What the node's own pages may do: run their own files and talk to this node. */
const PAGES_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob: mediastream:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";
/** Names of built files hold a hash of what is in them, milliseconds: a year. */
const ASSET_AGE_MS = 365 * 24 * 3600 * 1000;

/** Pages by their address. */
const PAGES: Readonly<Record<string, string>> = {
  "/": "index.html",
  "/console": "console.html",
  "/play": "play.html",
  "/play/*": "play.html",
};

/** `GET /`, `/play/<cid>` and the files they need. */
export async function pageRoutes(app: FastifyInstance, components: ApiComponents): Promise<void> {
  const { webRoot, authoriser, status } = components;
  await app.register(fastifyStatic, { root: webRoot, serve: false, decorateReply: true });
  for (const [url, file] of Object.entries(PAGES)) {
    route(app, {
      method: ["GET", "HEAD"],
      url,
      action: "pages:read",
      handler: async ({ request, reply, principal }) => {
        if (url === "/" && wantsJson(request.headers.accept)) {
          authoriser.authorise(principal, "node:status");
          return reply
            .header("vary", "Accept")
            .header("cache-control", "no-store")
            .send(await status());
        }
        return sendPage(reply, webRoot, file);
      },
    });
  }
  route(app, {
    method: ["GET", "HEAD"],
    url: "/assets/*",
    action: "pages:read",
    params: z.object({ "*": z.string().min(1) }),
    handler: async ({ params, reply }) => {
      const name = params["*"];
      if (name.split("/").includes("..")) throw new CidcastError("NOT_FOUND", "There is nothing there");
      return reply.sendFile(name, join(webRoot, "assets"), { maxAge: ASSET_AGE_MS, immutable: true });
    },
  });
  route(app, {
    method: ["GET", "HEAD"],
    url: "/player.js",
    action: "pages:read",
    handler: async ({ reply }) => {
      if (!existsSync(join(webRoot, "player.js"))) {
        throw new CidcastError("NOT_FOUND", "The pages are not built: `npm start` builds them");
      }
      // Its name says nothing about its age, and it names hashed files.
      return reply.sendFile("player.js", { cacheControl: false }).header("cache-control", "no-cache");
    },
  });
  route(app, {
    method: ["GET", "HEAD"],
    url: "/favicon.ico",
    action: "pages:read",
    handler: async ({ reply }) => {
      for (const name of ["favicon.ico", "favicon.svg"]) {
        if (existsSync(join(webRoot, name))) return reply.sendFile(name, { maxAge: ASSET_AGE_MS });
      }
      return reply.code(204).header("cache-control", "max-age=3600").send();
    },
  });
}

function sendPage(reply: FastifyReply, webRoot: string, file: string): FastifyReply {
  reply.header("content-security-policy", PAGES_CSP).header("vary", "Accept");
  if (existsSync(join(webRoot, file))) {
    // Pages name hashed files: an old page would ask for files that are gone.
    return reply.sendFile(file, { cacheControl: false }).header("cache-control", "no-cache");
  }
  return reply
    .code(503)
    .header("cache-control", "no-store")
    .type("text/html; charset=utf-8")
    .send(missingPagesHtml(webRoot));
}
