import {
  type AddResult,
  addResult,
  type ContentRecordBody,
  contentRecord,
  errorBody,
  type ListResult,
  listResult,
  type ListSort,
  type NodeStatus,
  nodeStatus,
  type ProbeResult,
  probeResult,
} from "@cidcast/protocols/node-api";
import { ClientError, errorFromWire } from "./client-error.ts";

export interface NodeClientInit {
  /** Address of the node, for instance `http://127.0.0.1:8000`. */
  readonly node: string;
  /** Sent as `Authorization: Bearer`, where the node wants one. */
  readonly token?: string;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** The node's HTTP API. Every method throws {@link ClientError}. */
export interface NodeClient {
  list(
    query?: {
      readonly search?: string;
      readonly sort?: ListSort;
      readonly limit?: number;
      readonly offset?: number;
    },
    options?: RequestOptions,
  ): Promise<ListResult>;
  /** `CONTENT_NOT_FOUND` when the node has no record of it. */
  record(cid: string, options?: RequestOptions): Promise<ContentRecordBody>;
  /** Adds one file. For progress see the page's own upload: `fetch` reports none. */
  add(body: Blob, options?: RequestOptions & { readonly name?: string }): Promise<AddResult>;
  remove(cid: string, options?: RequestOptions): Promise<void>;
  status(options?: RequestOptions): Promise<NodeStatus>;
  /** Address of an API path on this node. */
  url(path: string, query?: Readonly<Record<string, string | number | undefined>>): URL;
}

type ApiRequest = Omit<RequestInit, "headers"> & { readonly headers?: Readonly<Record<string, string>> };

/** What a schema of protocols/ can do for us: types stay those of the schema. */
interface Schema<Output> {
  safeParse(value: unknown): { success: true; data: Output } | { success: false; error: Error };
}

export function createNodeClient(init: NodeClientInit): NodeClient {
  const base = init.node.replace(/\/+$/, "");
  const headers: Record<string, string> =
    init.token === undefined ? {} : { authorization: `Bearer ${init.token}` };

  const url: NodeClient["url"] = (path, query = {}) => {
    const target = new URL(base + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== "") target.searchParams.set(name, String(value));
    }
    return target;
  };
  const call = async (target: URL, request: ApiRequest): Promise<string> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(target, { ...request, headers: { ...headers, ...request.headers } });
      text = await response.text();
    } catch (error) {
      if (request.signal?.aborted)
        throw new ClientError("ABORTED", "The request was ended", { cause: error });
      throw new ClientError("NODE_UNREACHABLE", `No node answers at ${base}`, { cause: error });
    }
    if (!response.ok) throw errorFromResponse(response.status, text);
    return text;
  };
  const get = async <Output>(
    target: URL,
    schema: Schema<Output>,
    options?: RequestOptions,
  ): Promise<Output> => parseBody(await call(target, { signal: options?.signal ?? null }), schema);

  return {
    url,
    list: (query, options) => get(url("/api/v0/content", query), listResult, options),
    record: (cid, options) => get(url(`/api/v0/content/${encodeURIComponent(cid)}`), contentRecord, options),
    status: options => get(url("/api/v0/status"), nodeStatus, options),
    async add(body, options) {
      const target = url("/api/v0/add", { name: options?.name });
      return parseBody(
        await call(target, { method: "POST", body, signal: options?.signal ?? null }),
        addResult,
      );
    },
    async remove(cid, options) {
      const target = url(`/api/v0/content/${encodeURIComponent(cid)}`);
      await call(target, { method: "DELETE", keepalive: true, signal: options?.signal ?? null });
    },
  };
}

/** The body of a successful `POST /api/v0/add`, for an upload made without {@link NodeClient.add}. */
export function parseAddResult(text: string): AddResult {
  return parseBody(text, addResult);
}

/** What a probe found out, as kept in a record; undefined where there is nothing or nothing that is understood. */
export function mediaOf(record: { readonly media?: unknown }): ProbeResult | undefined {
  return probeResult.safeParse(record.media).data;
}

/** A successful answer's body, checked. `INTERNAL` when it is not what the API promises. */
function parseBody<Output>(text: string, schema: Schema<Output>): Output {
  const parsed = schema.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  throw new ClientError("INTERNAL", "The node's answer is not what its API promises", {
    cause: parsed.error,
  });
}

/** The error in an answer with a status of 400 or more, also when its body is not the node's (a proxy's page, say). */
export function errorFromResponse(status: number, text: string): ClientError {
  const parsed = errorBody.safeParse(jsonOrUndefined(text));
  if (parsed.success) return errorFromWire(parsed.data.error.code, parsed.data.error.message);
  const code = status === 502 || status === 503 || status === 504 ? "NODE_UNREACHABLE" : "INTERNAL";
  return new ClientError(code, `The node answered with status ${status}`);
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
