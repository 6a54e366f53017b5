import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type AbortOptions, CidcastError, messageOf } from "../../core/index.ts";

/** Largest answer that is read, bytes. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** A node's doors and how to be let in. */
export interface Asked {
  readonly url: string;
  readonly token: string | undefined;
  /** Certificate to trust besides the system's, PEM. */
  readonly ca: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Asks a node by HTTP. `PEER_UNREACHABLE` when nothing answers. */
export async function ask(
  { url, token, ca }: Asked,
  path: string,
  init: AbortOptions & {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = (url.startsWith("https:") ? httpsRequest : httpRequest)(
    `${url.replace(/\/$/, "")}${path}`,
    {
      method: init.method ?? "GET",
      ...(init.signal !== undefined && { signal: init.signal }),
      ...(ca !== undefined && { ca }),
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...init.headers,
      },
    },
    response => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes > MAX_ANSWER_BYTES) request.destroy(new Error("the answer is too large"));
        else chunks.push(chunk);
      });
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    },
  );
  request.once("error", cause => {
    reject(new CidcastError("PEER_UNREACHABLE", `${url}: ${messageOf(cause)}`, { cause }));
  });
  request.end(init.body);
  return promise;
}

/** The JSON of an answer; undefined when it is none. */
export function jsonOf({ body }: Answer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
