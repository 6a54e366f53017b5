import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  type Authoriser,
  CidcastError,
  isCidcastError,
  type Logger,
  type Principal,
  type Resource,
} from "../../core/index.ts";
import { answerCors } from "../door/cors.ts";
import type { Door } from "../door/door.ts";
import { changesState } from "../door/origins.ts";
import { keepToTenant, type TenantDoor } from "../door/tenants.ts";
import type { HttpLimits } from "../limits.ts";
import type { HttpMetrics } from "../metrics.ts";
import { pathOf } from "./request.ts";

/** Addresses that are answered also when the node is full: whoever looks after it must see that it lives. */
const ALWAYS_ANSWERED: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

export interface GuardComponents {
  readonly door: Door;
  readonly limits: HttpLimits;
  readonly log: Logger;
  readonly metrics: HttpMetrics;
  readonly authoriser: Authoriser;
  readonly tenants: TenantDoor | undefined;
}

/** Counts requests and lets them run out. */
export interface RequestGuard {
  inFlight(): number;
  stopping(): boolean;
  /** Takes no more requests; resolves when none is running, at the latest after `graceMs`. */
  drain(graceMs: number): Promise<void>;
}

/** Puts every check that comes before a handler in front of all routes, in this order: limits, host, origin, caller. */
export function guardRequests(app: FastifyInstance, components: GuardComponents): RequestGuard {
  const { door, limits, log, metrics } = components;
  let inFlight = 0;
  let stopping = false;
  let onIdle: (() => void) | undefined;

  const count = (request: FastifyRequest, reply: FastifyReply): void => {
    inFlight += 1;
    const startedMs = performance.now();
    reply.raw.once("close", () => {
      inFlight -= 1;
      if (inFlight === 0) onIdle?.();
      const status = reply.raw.writableFinished ? reply.statusCode : 499;
      const known = request.routeOptions?.url;
      const seconds = (performance.now() - startedMs) / 1000;
      metrics.requests.add(1, { method: request.method, route: known ?? "none", status: String(status) });
      metrics.requestSeconds.observe(seconds, { route: known ?? "none" });
      log.debug({ method: request.method, path: pathOf(request), status, seconds }, "answered");
    });
  };

  app.addHook("onRequest", async (request, reply) => {
    count(request, reply);
    reply.raw.once("finish", () => cutOffUnfinished(request, limits.lingerMs));
    reply
      .header("x-content-type-options", "nosniff")
      .header("referrer-policy", "no-referrer")
      .header("cross-origin-resource-policy", "same-origin")
      .header("x-frame-options", "SAMEORIGIN");
    try {
      checkLimits(request, { limits, inFlight, stopping });
      door.hosts.check(request.headers.host);
      if (answerCors(request, reply, door.origins)) return reply;
      if (changesState(request.method)) door.origins.check(request.headers.origin, request.headers.host);
      request.principal = await callerOf(request, door);
      if (!request.is404) await authorise(request, reply, components);
    } catch (error) {
      if (isCidcastError(error)) metrics.refused.add(1, { reason: error.code });
      throw error;
    }
    return undefined;
  });

  return {
    inFlight: () => inFlight,
    stopping: () => stopping,
    async drain(graceMs) {
      stopping = true;
      if (inFlight === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      onIdle = resolve;
      const timer = setTimeout(resolve, graceMs);
      await promise;
      clearTimeout(timer);
    },
  };
}

function checkLimits(
  request: FastifyRequest,
  state: { readonly limits: HttpLimits; readonly inFlight: number; readonly stopping: boolean },
): void {
  const { limits, inFlight, stopping } = state;
  if (stopping) {
    throw new CidcastError("SHUTTING_DOWN", "The node is stopping", { retryAfterSeconds: 5 });
  }
  if (request.url.length > limits.maxUrlLength) {
    throw new CidcastError("URL_TOO_LONG", `The address has more than ${limits.maxUrlLength} characters`);
  }
  if (inFlight > limits.maxConcurrentRequests && !ALWAYS_ANSWERED.has(pathOf(request))) {
    throw new CidcastError("BUSY", `The node answers ${limits.maxConcurrentRequests} requests already`, {
      retryAfterSeconds: 1,
    });
  }
}

/** Routes with their own access know the node's owner from the door, and everybody else by themselves. */
async function callerOf(request: FastifyRequest, door: Door): Promise<Principal> {
  const own = request.routeOptions.config.ownAccess === true;
  return own ? door.ownerOf(request.raw, "http") : door.principalOf(request.raw, "http");
}

async function authorise(
  request: FastifyRequest,
  reply: FastifyReply,
  { authoriser, tenants }: Pick<GuardComponents, "authoriser" | "tenants">,
): Promise<void> {
  const { action, resource } = request.routeOptions.config;
  if (action === undefined) {
    throw new CidcastError("FORBIDDEN", "Nobody has said who may use this address");
  }
  let on: Resource | undefined;
  try {
    on = resource?.(request);
  } catch (error) {
    // What is wrong with an address is told only to who may use it.
    authoriser.authorise(request.principal, action);
    throw error;
  }
  authoriser.authorise(request.principal, action, on);
  if (tenants === undefined) return;
  await keepToTenant(tenants, request.principal, { action, resource: on });
  if (request.routeOptions.config.endsItself !== true) endWithToken(request, reply, tenants);
}

/** What a token began ends with it: a body that is being sent either way is cut off. */
function endWithToken(request: FastifyRequest, reply: FastifyReply, tenants: TenantDoor): void {
  if (request.principal.kind !== "token") return;
  const unwatch = tenants.watch(request.principal, () => request.raw.destroy());
  reply.raw.once("close", unwatch);
}

/** An answer that came before the end of the body: the client gets a moment to read it, then the connection ends. */
function cutOffUnfinished(request: FastifyRequest, lingerMs: number): void {
  const { raw } = request;
  if (raw.complete || raw.destroyed) return;
  raw.resume();
  const timer = setTimeout(() => raw.destroy(), lingerMs);
  raw.once("close", () => clearTimeout(timer));
}
