import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";

/** A request as the MCP door reads it, whichever server took it. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  /** A header field by its name in lower case. */
  header(name: string): string | undefined;
  headers(): Headers;
  /** The body as text; undefined when it has more than `maxBytes`. */
  text(maxBytes: number): Promise<string | undefined>;
  /** Aborts when the client goes away before it has its answer. */
  readonly signal: AbortSignal;
}

/** A request of Node's server. The body must not have been read. */
export function nodeRequest(incoming: IncomingMessage, outgoing: ServerResponse): HttpRequest {
  const gone = new AbortController();
  // An abort makes an error with its stack: not for each request that was answered.
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const header = (name: string): string | undefined => {
    const value = incoming.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  return {
    method: incoming.method ?? "GET",
    url: `http://${incoming.headers.host ?? "localhost"}${incoming.url ?? "/"}`,
    header,
    headers() {
      const headers = new Headers();
      for (const name of Object.keys(incoming.headers)) headers.set(name, header(name) ?? "");
      return headers;
    },
    // One that is too large is told so: its connection stays.
    text: maxBytes => textOf(incoming.iterator({ destroyOnReturn: false }), maxBytes),
    signal: gone.signal,
  };
}

/** A request of the web's. */
export function webRequest(request: Request): HttpRequest {
  return {
    method: request.method,
    url: request.url,
    header: name => request.headers.get(name) ?? undefined,
    headers: () => request.headers,
    text: maxBytes => textOf(request.body?.values({ preventCancel: true }) ?? [], maxBytes),
    signal: request.signal,
  };
}

async function textOf(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks, bytes));
}

/** Sends JSON over Node's server, in one write. */
export function sendJson(json: unknown, outgoing: ServerResponse): void {
  const body = Buffer.from(JSON.stringify(json));
  outgoing.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  outgoing.end(body);
}

/** Sends a response of the web's over Node's server, as fast as the client reads. */
export async function sendWebResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body === null) {
    outgoing.end();
    return;
  }
  outgoing.flushHeaders();
  const reader = response.body.getReader();
  const onClose = (): void => {
    reader.cancel().catch(() => undefined);
  };
  outgoing.once("close", onClose);
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(chunk.value))
        await Promise.race([once(outgoing, "drain"), once(outgoing, "close")]);
    }
    outgoing.end();
  } catch {
    // The stream broke off: so does the answer, that nobody takes it for whole.
    outgoing.destroy();
  } finally {
    outgoing.off("close", onClose);
  }
}
