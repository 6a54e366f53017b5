import {
  addResult,
  connectResult,
  doneResult,
  gcResult,
  idResult,
  listResult,
  lsResult,
  MAX_PAGE_SIZE,
  nodeStatus,
  peersResult,
  pinBody,
  pinsResult,
  probeResult,
  statResult,
  versionResult,
} from "@cidcast/protocols/node-api";
import { createdPlayback } from "@cidcast/protocols/playback";
import type { HttpClient } from "./http-client.ts";
import { encodeMultipart } from "./multipart.ts";
import type { ApiAddOptions, NodeApi } from "./node-api.ts";

/** The node's API over HTTP. */
export function createHttpApi(http: HttpClient): NodeApi {
  const path = (verb: string, ref: string): string => `/api/v0/${verb}/${encodeRef(ref)}`;
  return {
    url: http.url,
    add: async (source, options = {}) =>
      http.json(addResult, "/api/v0/add", {
        method: "POST",
        body: source,
        query: addQueryOf(options),
        headers: {
          "content-type": "application/octet-stream",
          ...(options.totalBytes !== undefined && { "content-length": String(options.totalBytes) }),
        },
        signal: options.signal,
      }),
    addDirectory: async (entries, options = {}) => {
      const { contentType, body } = encodeMultipart(entries);
      return http.json(addResult, "/api/v0/add", {
        method: "POST",
        body,
        query: { ...addQueryOf(options), directory: 1 },
        headers: { "content-type": contentType },
        signal: options.signal,
      });
    },
    async *list(search, options = {}) {
      for (let offset = 0; ; ) {
        const query = { search, offset, limit: MAX_PAGE_SIZE };
        const { records, total } = await http.json(listResult, "/api/v0/content", { query, ...options });
        yield* records;
        offset += records.length;
        if (records.length === 0 || offset >= total) return;
      }
    },
    async *ls(ref, options = {}) {
      for (let offset = 0; ; offset += MAX_PAGE_SIZE) {
        const query = { offset, limit: MAX_PAGE_SIZE };
        const { entries, truncated } = await http.json(lsResult, path("ls", ref), { query, ...options });
        yield* entries;
        if (!truncated) return;
      }
    },
    stat: async (ref, options) => http.json(statResult, path("stat", ref), options),
    cat: (ref, { start, end, signal } = {}) =>
      http.bytes(path("cat", ref), {
        signal,
        headers:
          start === undefined && end === undefined
            ? {}
            : { range: `bytes=${start ?? 0}-${end === undefined ? "" : end - 1}` },
      }),
    remove: async (cid, options) => {
      await http.json(doneResult, path("content", cid), { method: "DELETE", ...options });
    },
    pin: async (cid, name, options) =>
      http.json(pinBody, path("pin", cid), { method: "POST", query: { name }, ...options }),
    unpin: async (cid, name, options) => {
      await http.json(doneResult, path("pin", cid), { method: "DELETE", query: { name }, ...options });
    },
    pins: async options => (await http.json(pinsResult, "/api/v0/pins", options)).pins,
    gc: async options => http.json(gcResult, "/api/v0/gc", { method: "POST", ...options }),
    probe: async (ref, options) => http.json(probeResult, path("probe", ref), options),
    id: async options => http.json(idResult, "/api/v0/id", options),
    version: async options => http.json(versionResult, "/api/v0/version", options),
    status: async options => http.json(nodeStatus, "/api/v0/status", options),
    peers: async options => (await http.json(peersResult, "/api/v0/peers", options)).peers,
    connect: async (address, options) =>
      http.json(connectResult, "/api/v0/peers/connect", {
        method: "POST",
        body: JSON.stringify({ address }),
        headers: { "content-type": "application/json" },
        ...options,
      }),
    playbackToken: async (init, options) =>
      http.json(createdPlayback, "/api/v0/playback-tokens", {
        method: "POST",
        body: JSON.stringify(init),
        headers: { "content-type": "application/json" },
        ...options,
      }),
    shutdown: async options => {
      await http.json(doneResult, "/api/v0/shutdown", { method: "POST", ...options });
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function addQueryOf({ name, pin }: ApiAddOptions): Record<string, string | number | undefined> {
  return { name, ...(pin === false ? { pin: 0 } : { "pin-name": pin }) };
}

function encodeRef(ref: string): string {
  return ref
    .replace(/^\/?ipfs\//, "")
    .split("/")
    .map(encodeURIComponent)
    .join("/");
}
