import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import type { z } from "zod";
import { CidcastError, type Logger, type Principal, toCidcastError } from "../../core/index.ts";
import { parseJson } from "../doors/message.ts";

/** Who may use a route. Every route says it; the handler itself checks it. */
export type RouteAccess = "admin-key" | "token" | "token-or-owner";

/** A request, whatever server it came through. */
export interface RouteRequest {
  readonly method: string;
  /** Parts of the path that stand for `:name`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** A header field by its name in lower case. */
  header(name: string): string | undefined;
  /** The body as text, at most {@link MAX_ROUTE_BODY_BYTES}; empty when there is none. */
  readonly body: string;
  readonly remoteAddress: string | undefined;
  /** Who the server takes the caller for, when it shows no token of a tenant. */
  readonly principal: Principal;
  readonly signal?: AbortSignal | undefined;
}

export interface RouteResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a stream of texts as it is. Undefined: no body. */
  readonly body: unknown;
}

/** A route of the HTTP server. Host and Origin are checked before it is called. */
export interface McpRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Every spelling, `:name` for parts: with and without a slash at the end. */
  readonly paths: readonly string[];
  readonly access: RouteAccess;
  /** One line for the API's documentation. */
  readonly summary: string;
  /** Schema of the body, for the API's documentation. */
  readonly bodySchema?: z.ZodType | undefined;
  handle(request: RouteRequest): Promise<RouteResponse>;
}

/** Largest body of a route, bytes. */
export const MAX_ROUTE_BODY_BYTES: number = MAX_MESSAGE_BYTES;

export interface RouteInit extends Omit<McpRoute, "paths"> {
  readonly path: string;
}

/** Makes a route that serves both spellings and answers every error in the API's own form. */
export function defineRoute(log: Logger, init: RouteInit): McpRoute {
  const { path, handle, ...rest } = init;
  return {
    ...rest,
    paths: [path, `${path}/`],
    async handle(request) {
      try {
        return await handle(request);
      } catch (error) {
        return errorResponse(error, log);
      }
    },
  };
}

/** `{"error": <words>, "code": <code>}` with the code's status. */
export function errorResponse(error: unknown, log: Logger): RouteResponse {
  const known = toCidcastError(error);
  if (known.code === "INTERNAL") log.error({ err: error }, "an API request failed");
  return {
    status: known.status,
    headers: {
      ...(known.code === "UNAUTHENTICATED" && { "www-authenticate": "Bearer" }),
      ...(known.retryAfterSeconds !== undefined && { "retry-after": String(known.retryAfterSeconds) }),
    },
    body: {
      error: known.code === "INTERNAL" ? "Internal error" : known.message,
      code: known.code,
      ...(known.retryAfterSeconds !== undefined && { retry_after_seconds: known.retryAfterSeconds }),
    },
  };
}

/** The token of an `Authorization: Bearer` field. */
export function bearerOf(request: Pick<RouteRequest, "header">): string | undefined {
  return /^bearer +(\S+) *$/i.exec(request.header("authorization") ?? "")?.[1];
}

/** The body by a schema. `missing` are the words for a field that is not there, as clients of this API know them. */
export function parseBody<S extends z.ZodType>(
  request: RouteRequest,
  schema: S,
  missing: Readonly<Record<string, string>> = {},
): z.output<S> {
  let json: unknown;
  try {
    json = parseJson(request.body === "" ? "{}" : request.body);
  } catch (cause) {
    throw new CidcastError("INVALID_REQUEST", "Invalid JSON", { cause });
  }
  return checked(json, schema, missing);
}

/** The query by a schema. */
export function parseQuery<S extends z.ZodType>(
  { query }: Pick<RouteRequest, "query">,
  schema: S,
): z.output<S> {
  return checked(Object.fromEntries(query), schema, {});
}

function checked<S extends z.ZodType>(
  value: unknown,
  schema: S,
  missing: Readonly<Record<string, string>>,
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const words = missing[issue.path.join(".")];
    if (words !== undefined) throw new CidcastError("INVALID_REQUEST", words);
  }
  throw new CidcastError(
    "INVALID_REQUEST",
    parsed.error.issues.map(issue => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; "),
  );
}

/** A time as the API writes it; null when there is none. */
export function isoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

export function ok(body: unknown): RouteResponse {
  return { status: 200, body };
}

export function created(body: unknown): RouteResponse {
  return { status: 201, body };
}
