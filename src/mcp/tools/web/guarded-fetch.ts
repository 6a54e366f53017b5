import { lookup } from "node:dns/promises";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { CidcastError, withTimeout } from "../../../core/index.ts";
import { MAX_REDIRECTS, MAX_URL_LENGTH, MAX_WEB_BYTES, WEB_TIMEOUT_MS } from "../../limits.ts";
import { type AddressPolicy, publicAddressesOnly } from "./address-policy.ts";

export interface GuardedFetchInit {
  /** Default: public addresses only. */
  readonly policy?: AddressPolicy;
  /** Every address of a host name. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly timeoutMs?: number;
}

export interface WebRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WebResponse {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The body was longer than what is read. */
  readonly truncated: boolean;
  readonly redirects: number;
}

/** Makes requests to the outside on behalf of callers who choose the address. */
export type GuardedFetch = (request: WebRequest) => Promise<WebResponse>;

/** Headers that do not go along to another origin. */
const PRIVATE_HEADERS = /authori[sz]ation|cookie|api-?key|token|secret|credential/i;
/** Header fields that the request makes itself, or that would change how it is framed or routed. */
const RESERVED_HEADERS =
  /^(host|connection|keep-alive|transfer-encoding|content-length|te|trailer|upgrade|expect|proxy-.*|forwarded|x-forwarded-.*|x-real-ip|metadata(-flavor)?|x-aws-ec2-metadata-token.*)$/i;

/**
 * A fetch that cannot be led to this machine or its neighbours: the name is resolved once, every address it has must pass
 * the policy, the connection goes to exactly that address (a second answer of the name server changes nothing), and each
 * redirect goes through the same checks.
 */
export function createGuardedFetch(init: GuardedFetchInit = {}): GuardedFetch {
  const { policy = publicAddressesOnly, resolve = resolveAll, timeoutMs = WEB_TIMEOUT_MS } = init;
  return request =>
    withTimeout(timeoutMs, "The web request", signal => follow(request, { policy, resolve, signal }), {
      signal: request.signal,
    });
}

interface Guard {
  readonly policy: AddressPolicy;
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly signal: AbortSignal;
}

async function follow(request: WebRequest, guard: Guard): Promise<WebResponse> {
  let url = checkedUrl(request.url);
  let { method, body } = request;
  let headers = checkedHeaders(request.headers);
  for (let redirects = 0; ; redirects++) {
    const address = await pin(url, guard);
    const message = await send({ url, method, headers, body, address }, guard.signal);
    const status = message.statusCode ?? 0;
    const location = message.headers.location;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
      return { ...(await read(message, guard.signal)), url: url.href, status, redirects };
    }
    message.destroy();
    if (redirects >= MAX_REDIRECTS) {
      throw new CidcastError("LIMIT_REACHED", `More than ${MAX_REDIRECTS} redirects`);
    }
    const next = checkedUrl(location, url);
    if (next.origin !== url.origin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !PRIVATE_HEADERS.test(name)));
    }
    if (status === 303 || (status < 303 && method === "POST")) {
      method = method === "HEAD" ? "HEAD" : "GET";
      body = undefined;
    }
    url = next;
  }
}

/** A URL that may be asked for. The parser has already turned 0x7f.1 and the like into plain addresses. */
export function checkedUrl(text: string, base?: URL): URL {
  const refuse = (problem: string): never => {
    throw new CidcastError("INVALID_REQUEST", `The URL ${problem}`);
  };
  if (text.length > MAX_URL_LENGTH) refuse(`is longer than ${MAX_URL_LENGTH} characters`);
  const url = URL.parse(text, base);
  if (url === null) return refuse("cannot be read");
  if (url.protocol !== "http:" && url.protocol !== "https:") refuse("has to begin with http: or https:");
  if (url.username !== "" || url.password !== "") refuse("must not hold a user or password");
  const port = url.port === "" ? undefined : Number(url.port);
  // Below 1024 live mail, shells and directories, which take an HTTP request for commands of their own.
  if (port !== undefined && port < 1024 && port !== 80 && port !== 443)
    refuse(`has a port that is not served: ${port}`);
  return url;
}

function checkedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw new CidcastError(
        "INVALID_REQUEST",
        `The header ${JSON.stringify(name.slice(0, 64))} cannot be sent`,
      );
    }
    if (RESERVED_HEADERS.test(name)) {
      throw new CidcastError("INVALID_REQUEST", `The header ${name} may not be set`);
    }
    checked[name.toLowerCase()] = value;
  }
  return checked;
}

/** The one address that the connection will go to. `FORBIDDEN` when any address of the name is out of bounds. */
async function pin(url: URL, { policy, resolve }: Guard): Promise<string> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const addresses = isIP(host) === 0 ? await resolve(host) : [host];
  const first = addresses[0];
  if (first === undefined) throw new CidcastError("NODE_UNREACHABLE", `The host ${host} is not known`);
  // The words are the same whether the name leads to this machine, to its network or nowhere that may be asked.
  if (!addresses.every(policy)) {
    throw new CidcastError("FORBIDDEN", `The host ${host} is not on the public internet`);
  }
  return first;
}

async function resolveAll(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true, verbatim: true })).map(entry => entry.address);
  } catch (cause) {
    throw new CidcastError("NODE_UNREACHABLE", `The host ${host} is not known`, { cause });
  }
}

interface PinnedRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly address: string;
}

function send(
  { url, method, headers, body, address }: PinnedRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const secure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const options = {
    // The address itself: nothing is looked up again. The name goes into Host and into the certificate's check.
    host: address,
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method,
    headers: {
      "user-agent": "cidcast",
      accept: "*/*",
      ...headers,
      host: url.host,
      // A compressed answer could be a thousand times what was counted.
      "accept-encoding": "identity",
      ...(body !== undefined && { "content-length": String(body.length) }),
    },
    agent: false,
    signal,
    maxHeaderSize: 32 * 1024,
    ...(secure && isIP(host) === 0 && { servername: host }),
  } as const;
  const request = secure ? requestHttps(options, resolve) : requestHttp(options, resolve);
  request.on("error", cause => {
    reject(
      signal.aborted
        ? signal.reason
        : new CidcastError("NODE_UNREACHABLE", `The host ${host} did not answer`, { cause }),
    );
  });
  request.end(body);
  return promise;
}

async function read(
  message: IncomingMessage,
  signal: AbortSignal,
): Promise<Pick<WebResponse, "body" | "truncated" | "headers">> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message) {
      // Without an encoding set, a message gives buffers.
      const bytes = chunk as Buffer;
      chunks.push(bytes);
      size += bytes.length;
      if (size > MAX_WEB_BYTES) break;
    }
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new CidcastError("NODE_UNREACHABLE", "The answer broke off", { cause });
  } finally {
    message.destroy();
  }
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
  return { body: Buffer.concat(chunks).subarray(0, MAX_WEB_BYTES), truncated: size > MAX_WEB_BYTES, headers };
}
