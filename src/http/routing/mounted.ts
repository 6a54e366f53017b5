import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Action, Principal } from "../../core/index.ts";
import type { HttpLimits } from "../limits.ts";
import { textBody, watchBody } from "./body.ts";
import { clientSignal } from "./request.ts";
import { route } from "./route.ts";

/** A request for a route that another part of the node answers. */
export interface MountedRequest {
  readonly method: string;
  /** Parts of the path that stand for `:name`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** A header field by its name in lower case. The node's own token has been taken out. */
  header(name: string): string | undefined;
  readonly body: string;
  readonly remoteAddress: string | undefined;
  readonly principal: Principal;
  readonly signal: AbortSignal;
}

/** What it answers: `body` is sent as JSON, a stream of texts as it is. */
export interface MountedResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What every mounted route says. Its caller is known by the node's own token alone: tokens of tenants are the route's to ask for. */
interface MountedBase {
  readonly paths: readonly string[];
  readonly action: Action;
}

/** A route with a small body and one answer. */
export interface MountedApiRoute extends MountedBase {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly summary: string;
  readonly bodySchema?: z.ZodType | undefined;
  readonly maxBodyBytes: number;
  handle(request: MountedRequest): Promise<MountedResponse>;
}

/** A route that speaks HTTP itself. */
export interface MountedRawRoute extends MountedBase {
  readonly methods: readonly ("GET" | "POST" | "DELETE")[];
  /** The body has not been read. */
  serve(incoming: IncomingMessage, outgoing: ServerResponse, principal: Principal): Promise<void>;
}

export type MountedRoute = MountedApiRoute | MountedRawRoute;

/** Registers routes of other parts, in a scope of their own: their bodies are read as they say. */
export async function mountedRoutes(
  app: FastifyInstance,
  init: { readonly routes: readonly MountedRoute[]; readonly limits: HttpLimits },
): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const mounted of init.routes) {
    for (const url of mounted.paths) {
      if ("serve" in mounted) rawRoute(app, mounted, url, init.limits);
      else apiRoute(app, mounted, url, init.limits);
    }
  }
}

function rawRoute(app: FastifyInstance, mounted: MountedRawRoute, url: string, limits: HttpLimits): void {
  route(app, {
    method: [...mounted.methods],
    url,
    action: mounted.action,
    ownAccess: true,
    // What a GET opens here has no end.
    head: false,
    handler: async ({ request, reply, principal }) => {
      const { raw } = request;
      const pace = paceOf(request, limits);
      pace.addEventListener("abort", () => raw.destroy(), { once: true });
      await mounted.serve(raw, takeOver(reply), principal);
      return undefined;
    },
  });
}

function apiRoute(app: FastifyInstance, mounted: MountedApiRoute, url: string, limits: HttpLimits): void {
  route(app, {
    method: mounted.method,
    url,
    action: mounted.action,
    ownAccess: true,
    // Both spellings are served; one is documented.
    ...(url.endsWith("/") ? {} : { summary: mounted.summary }),
    handler: async ({ request, reply, principal }) => {
      const answer = await mounted.handle({
        method: request.method,
        // The router's parameters are texts.
        params: request.params as Readonly<Record<string, string>>,
        query: new URLSearchParams(request.url.split("?", 2)[1] ?? ""),
        header: headerOf(request),
        body: await textBody(request.raw, { maxBytes: mounted.maxBodyBytes, limits }),
        remoteAddress: request.raw.socket.remoteAddress,
        principal,
        signal: clientSignal(reply),
      });
      reply.code(answer.status).header("cache-control", "no-store");
      for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value);
      const { body } = answer;
      if (body === undefined) return reply.send();
      return isTexts(body) ? reply.send(Readable.from(body)) : reply.send(body);
    },
  });
}

/** Takes the answer out of the HTTP library's hands, with the header fields that were set so far. */
export function takeOver(reply: FastifyReply): ServerResponse {
  const { raw } = reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  return raw;
}

function headerOf(request: FastifyRequest): (name: string) => string | undefined {
  // A bearer that the door has taken for the node's own token is nobody else's.
  const taken = request.principal.kind === "token";
  return name => {
    if (taken && name === "authorization") return undefined;
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
}

function paceOf(request: FastifyRequest, limits: HttpLimits): AbortSignal {
  return watchBody(request.raw, {
    minBytesPerSecond: limits.minBodyBytesPerSecond,
    graceMs: limits.bodyGraceMs,
  });
}

function isTexts(body: unknown): body is AsyncIterable<string> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
