import { z } from "zod";
import { CidcastError } from "../../../core/index.ts";
import type { CredentialStore } from "../../../tenancy/index.ts";
import { MAX_URL_LENGTH, MAX_WEB_BODY_BYTES, MAX_WEB_HEADERS } from "../../limits.ts";
import { badArguments } from "../../server/call-tool.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { Tool } from "../../types.ts";
import { checkedUrl, type GuardedFetch, type WebResponse } from "./guarded-fetch.ts";

const HIDDEN = "[redacted]";
/** Header fields of answers that are not for the caller. */
const HIDDEN_HEADERS = new Set(["set-cookie"]);

const output = z.object({
  status_code: z.number(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  content: z.string(),
  encoding: z.enum(["utf-8", "base64"]),
  truncated: z.boolean(),
  redirects: z.number(),
});

const OPEN_WORLD = { readOnlyHint: false, destructiveHint: true, openWorldHint: true } as const;

/** What the web tools work with. */
export interface WebToolComponents {
  readonly fetch: GuardedFetch;
  readonly credentials: CredentialStore;
  /** Send credentials over plain HTTP too: for tests. */
  readonly allowPlainHttp?: boolean | undefined;
}

/** `web_request`: scope web. */
export function webRequestTool(components: WebToolComponents): Tool {
  return defineTool({
    name: "web_request",
    title: "Web request",
    description:
      "Make HTTP requests to public addresses, with optional tenant credentials. Takes 10 seconds at most; answers are cut at 1 MiB.",
    scopes: ["web"],
    annotations: OPEN_WORLD,
    input: z.object({
      url: z.string().min(1).max(MAX_URL_LENGTH),
      method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]).default("GET"),
      headers: z
        .record(z.string().min(1).max(128), z.string().max(8192))
        .refine(
          headers => Object.keys(headers).length <= MAX_WEB_HEADERS,
          `at most ${MAX_WEB_HEADERS} headers`,
        )
        .default({}),
      data: z.union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())]).optional(),
      credential: z
        .string()
        .regex(/^[\w.:-]{1,64}$/)
        .optional()
        .describe("Name of a stored credential, sent as a bearer token. It is bound to one host over https."),
    }),
    output,
    run: async ({ url, method, headers, data, credential }, { principal, signal }) => {
      const body = bodyOf(method, data);
      const secret =
        credential === undefined ? undefined : await bound(components, principal.tenantId, credential, url);
      const response = await components.fetch({
        url,
        method,
        headers: {
          ...(body?.json === true && { "content-type": "application/json" }),
          ...headers,
          ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
        },
        body: body?.bytes,
        signal,
      });
      return answer(response, secret === undefined ? [] : [secret]);
    },
  });
}

/** `secure_api`: scope api. Base address and key are credentials `base_url` and `api_key` of the tenant. */
export function secureApiTool({ fetch, credentials, allowPlainHttp }: WebToolComponents): Tool {
  return defineTool({
    name: "secure_api",
    title: "Secure API",
    description: "Call secure API endpoints using tenant credentials",
    scopes: ["api"],
    annotations: OPEN_WORLD,
    input: z.object({
      endpoint: z.string().min(1).max(MAX_URL_LENGTH).describe("Path below the tenant's base address"),
    }),
    output,
    run: async ({ endpoint }, { principal, signal }) => {
      const stored =
        principal.tenantId === undefined
          ? new Map<string, string>()
          : await credentials.values(principal.tenantId, "secure_api");
      const [key, base] = [stored.get("api_key"), stored.get("base_url")];
      if (key === undefined || base === undefined) {
        const missing = key === undefined ? "api_key" : "base_url";
        throw new CidcastError(
          "NOT_FOUND",
          `The tenant has no credential ${missing} for the tool secure_api`,
        );
      }
      const response = await fetch({
        url: endpointUrl(base, endpoint, allowPlainHttp).href,
        method: "GET",
        headers: { authorization: `Bearer ${key}` },
        body: undefined,
        signal,
      });
      return answer(response, [key]);
    },
  });
}

/** The endpoint below the base address. What leads elsewhere would carry the key there: `INVALID_REQUEST`. */
export function endpointUrl(base: string, endpoint: string, allowPlainHttp = false): URL {
  const root = checkedUrl(base.endsWith("/") ? base : `${base}/`);
  if (root.protocol !== "https:" && !allowPlainHttp) {
    throw new CidcastError("INVALID_CONFIG", "The credential base_url has to begin with https:");
  }
  const url = checkedUrl(endpoint.replace(/^\/+/, ""), root);
  if (
    url.origin !== root.origin ||
    !url.pathname.startsWith(root.pathname) ||
    /%2e|%2f|%5c/i.test(url.pathname)
  ) {
    throw badArguments("The endpoint leads away from the tenant's base address");
  }
  return url;
}

/**
 * The value of a credential for the host of `url`: stored under the key `<name>@<host>`. The host is part of the key so
 * that an agent that was talked into it cannot send the secret anywhere else.
 */
async function bound(
  { credentials, allowPlainHttp = false }: WebToolComponents,
  tenantId: string | undefined,
  name: string,
  url: string,
): Promise<string> {
  const { protocol, host } = checkedUrl(url);
  if (protocol !== "https:" && !allowPlainHttp) throw badArguments("A credential is sent over https: only");
  const place = { toolName: "web_request", credentialKey: `${name}@${host}` };
  const value = tenantId === undefined ? undefined : await credentials.value({ tenantId, ...place });
  if (value === undefined) {
    throw new CidcastError(
      "NOT_FOUND",
      `The tenant has no credential ${place.credentialKey} for the tool web_request`,
    );
  }
  return value;
}

function bodyOf(
  method: string,
  data: unknown,
): { readonly bytes: Uint8Array; readonly json: boolean } | undefined {
  const empty = typeof data === "object" && data !== null && Object.keys(data).length === 0;
  if (data === undefined || method === "GET" || method === "HEAD" || (empty && method === "DELETE"))
    return undefined;
  const json = typeof data !== "string";
  const bytes = new TextEncoder().encode(json ? JSON.stringify(data) : data);
  if (bytes.length > MAX_WEB_BODY_BYTES) {
    throw new CidcastError("PAYLOAD_TOO_LARGE", `A request has at most ${MAX_WEB_BODY_BYTES} bytes`);
  }
  return { bytes, json };
}

/** The answer for the caller: a secret that the other side sent back is taken out. */
function answer(response: WebResponse, secrets: readonly string[]) {
  const scrub = (text: string): string =>
    secrets.reduce((clean, secret) => clean.replaceAll(secret, HIDDEN), text);
  const { content, encoding } = textOf(response.body, response.truncated);
  const structured = {
    status_code: response.status,
    url: scrub(response.url),
    headers: Object.fromEntries(
      Object.entries(response.headers)
        .filter(([name]) => !HIDDEN_HEADERS.has(name))
        .map(([name, value]) => [name, scrub(value)]),
    ),
    content: scrub(content),
    encoding,
    truncated: response.truncated,
    redirects: response.redirects,
  };
  return { structured };
}

function textOf(
  bytes: Uint8Array,
  cut: boolean,
): { readonly content: string; readonly encoding: "utf-8" | "base64" } {
  try {
    // A character that was cut in two at the end is left out.
    return {
      content: new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: cut }),
      encoding: "utf-8",
    };
  } catch {
    return { content: Buffer.from(bytes).toString("base64"), encoding: "base64" };
  }
}
