import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isErrorCode } from "@cidcast/protocols/errors";
import { errorBody } from "@cidcast/protocols/node-api";
import type { z } from "zod";
import { type AbortOptions, CidcastError, messageOf } from "../../core/index.ts";

/** Largest JSON answer that is read, bytes. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface HttpCall extends AbortOptions {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | AsyncIterable<Uint8Array>;
}

/** Talks to a node. Failures come as its own errors, or `NODE_UNREACHABLE`. */
export interface HttpClient {
  readonly url: string;
  json<S extends z.ZodType>(schema: S, path: string, call?: HttpCall): Promise<z.output<S>>;
  bytes(path: string, call?: HttpCall): AsyncIterable<Uint8Array>;
}

export function createHttpClient(init: {
  readonly url: string;
  readonly token: string | undefined;
  /** A certificate to trust, in PEM, beside those of the system. */
  readonly ca?: Buffer | undefined;
}): HttpClient {
  const base = URL.parse(init.url);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new CidcastError("INVALID_CONFIG", `${init.url} is not an address like http://127.0.0.1:8000`);
  }
  const send = async (path: string, call: HttpCall = {}): Promise<IncomingMessage> => {
    const url = new URL(path, base);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const response = await exchange(url, call, init);
    if ((response.statusCode ?? 0) < 400) return response;
    throw await errorOf(response);
  };
  return {
    url: base.origin,
    async json(schema, path, call) {
      const text = await readText(await send(path, call));
      const result = schema.safeParse(parseJson(text));
      if (result.success) return result.data;
      throw new CidcastError("NODE_UNREACHABLE", `What answers at ${base.origin} is not a cidcast node`, {
        cause: result.error,
      });
    },
    async *bytes(path, call) {
      const response = await send(path, call);
      try {
        for await (const chunk of response) yield chunk as Uint8Array;
      } catch (cause) {
        call?.signal?.throwIfAborted();
        throw new CidcastError("NODE_UNREACHABLE", `The node broke off in the middle of ${path}`, { cause });
      }
    },
  };
}

async function exchange(
  url: URL,
  call: HttpCall,
  { token, ca }: { readonly token: string | undefined; readonly ca?: Buffer | undefined },
): Promise<IncomingMessage> {
  call.signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { body } = call;
  const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
    method: call.method ?? "GET",
    agent: false,
    ...(ca !== undefined && { ca }),
    headers: {
      accept: "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(typeof body === "string" && { "content-length": String(Buffer.byteLength(body)) }),
      ...call.headers,
    },
    ...(call.signal && { signal: call.signal }),
  });
  let answered = false;
  request.once("response", response => {
    answered = true;
    resolve(response);
  });
  request.on("error", cause => {
    if (call.signal?.aborted === true) reject(call.signal.reason);
    else {
      const message = `No node answers at ${url.origin}: ${messageOf(cause)}`;
      reject(new CidcastError("NODE_UNREACHABLE", message, { cause }));
    }
  });
  if (body === undefined || typeof body === "string") request.end(body);
  else {
    // The source failing is the caller's error; the node hanging up comes with an answer or as the request's error.
    let failure: unknown;
    const watched = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* body;
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    pipeline(Readable.from(watched(), { objectMode: false }), request).catch(() => {
      if (failure !== undefined && !answered) reject(failure);
    });
  }
  return promise;
}

async function errorOf(response: IncomingMessage): Promise<CidcastError> {
  const status = response.statusCode ?? 0;
  const result = errorBody.safeParse(parseJson(await readText(response)));
  if (!result.success) {
    return new CidcastError("NODE_UNREACHABLE", `What answers is not a cidcast node (HTTP status ${status})`);
  }
  const { code, message, details, retryAfterSeconds } = result.data.error;
  return new CidcastError(isErrorCode(code) ? code : "INTERNAL", message, {
    ...(details !== undefined && { details }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      if (bytes > MAX_ANSWER_BYTES) break;
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw new CidcastError("NODE_UNREACHABLE", "The node broke off in the middle of its answer", { cause });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is not JSON fits no schema either: the caller says so.
    return undefined;
  }
}
