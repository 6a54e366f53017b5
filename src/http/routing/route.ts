import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { z } from "zod";
import { type Action, CidcastError, type Principal, type Resource } from "../../core/index.ts";
import { clientSignal } from "./request.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What using the route asks of the caller; a route without one is refused to everybody. */
    action?: Action;
    /** The route asks for tokens of tenants by itself. */
    ownAccess?: boolean;
    /** The route itself ends its answer when the caller's token does. */
    endsItself?: boolean;
    resource?: (request: FastifyRequest) => Resource;
  }
  interface FastifyRequest {
    /** Who asks; set before any handler runs. */
    principal: Principal;
  }
}

/** What a handler gets: everything parsed, the caller known and allowed. */
export interface RouteContext<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly principal: Principal;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** A route. There is no other way to register one, and no way to leave out who may use it. */
export interface RouteInit<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: HTTPMethods | HTTPMethods[];
  readonly url: string;
  readonly action: Action;
  /** The route itself asks for tokens of tenants; the caller is then known by the node's own token alone. */
  readonly ownAccess?: boolean;
  /** The route itself ends its answer when the caller's token does, in good order; others are cut off. */
  readonly endsItself?: boolean;
  /** `false`: HEAD is not answered where GET is. */
  readonly head?: false;
  /** What the action is done to. */
  readonly resource?: (params: z.output<P>) => Resource;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** For the documentation: answers are not checked. */
  readonly answer?: z.ZodType;
  /** For the documentation; routes without one are left out of it. */
  readonly summary?: string;
  readonly handler: (context: RouteContext<z.output<P>, z.output<Q>, z.output<B>>) => Promise<unknown>;
}

/** Registers a route whose input is parsed by its schemas and whose caller is asked for the action first. */
export function route<
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(app: FastifyInstance, init: RouteInit<P, Q, B>): void {
  const { params, query, body, resource } = init;
  app.route({
    method: init.method,
    url: init.url,
    ...(init.head === false && { exposeHeadRoute: false }),
    config: {
      action: init.action,
      ...(init.ownAccess === true && { ownAccess: true }),
      ...(init.endsItself === true && { endsItself: true }),
      ...(resource && { resource: request => resource(parse(params, request.params, "path")) }),
    },
    schema: documentation(init),
    handler: async (request, reply) => {
      const answer = await init.handler({
        params: parse(params, request.params, "path"),
        query: parse(query, withoutToken(request.query), "query"),
        body: parse(body, request.body, "body"),
        principal: request.principal,
        signal: clientSignal(reply),
        request,
        reply,
      });
      // A reply resolves to nothing once it is out, or its client is gone.
      return answer === undefined ? reply : reply.send(answer);
    },
  });
}

/** Parses what came from outside; `INVALID_REQUEST` names the field. */
export function parse<S extends z.ZodType>(
  schema: S | undefined,
  value: unknown,
  place: string,
): z.output<S> {
  // Without a schema S is ZodUndefined, whose output is undefined.
  if (schema === undefined) return undefined as z.output<S>;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap(issue => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map(key => ({
        field: [place, ...issue.path, key].join("."),
        message: "is not known",
      }));
    }
    return [{ field: [place, ...issue.path].join("."), message: issue.message }];
  });
  const text = issues.map(issue => `${issue.field}: ${issue.message}`).join("; ");
  throw new CidcastError("INVALID_REQUEST", text, { details: { issues } });
}

function withoutToken(query: unknown): unknown {
  if (typeof query !== "object" || query === null) return query;
  return Object.fromEntries(
    Object.entries(query).filter(([name]) => name !== "token" && name !== "tenant_id"),
  );
}

function documentation(init: RouteInit<z.ZodType, z.ZodType, z.ZodType>): object {
  if (init.summary === undefined) return { hide: true };
  const schemaOf = (schema: z.ZodType, io: "input" | "output"): object => {
    const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
    return json;
  };
  return {
    summary: init.summary,
    description: `Needs \`${init.action}\`.`,
    tags: [init.action.split(":", 1)[0] ?? ""],
    ...(init.params && { params: schemaOf(init.params, "input") }),
    ...(init.query && { querystring: schemaOf(init.query, "input") }),
    ...(init.body && { body: schemaOf(init.body, "input") }),
    ...(init.answer && { response: { 200: schemaOf(init.answer, "output") } }),
  };
}
