import {
  addResult,
  carResult,
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
  pushResult,
  statResult,
  transferResult,
  transfersResult,
  versionResult,
  webhookAdded,
  webhooksResult,
} from "@cidcast/protocols/node-api";
import { jobBody, jobsResult, prepareResult } from "@cidcast/protocols/node-api/jobs";
import { stallReport, stallReports } from "@cidcast/protocols/node-api/stalls";
import { checkReport } from "@cidcast/protocols/connectivity";
import { captionTrackBody, captionsResult } from "@cidcast/protocols/node-api/media";
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
    exportCar: (ref, { signal } = {}) =>
      http.bytes(`/ipfs/${encodeRef(ref)}`, { signal, query: { format: "car" } }),
    importCar: async (source, options = {}) =>
      http.json(carResult, "/api/v0/car", {
        method: "POST",
        body: source,
        query: addQueryOf(options),
        headers: {
          "content-type": "application/vnd.ipld.car",
          ...(options.totalBytes !== undefined && { "content-length": String(options.totalBytes) }),
        },
        signal: options.signal,
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
    captions: async (cid, options) => http.json(captionsResult, path("captions", cid), options),
    attachCaptions: async (cid, captions, { language, label, signal } = {}) =>
      http.json(captionTrackBody, path("captions", `${cid}/${captions}`), {
        method: "PUT",
        query: { language, label },
        signal,
      }),
    detachCaptions: async (cid, captions, options) => {
      await http.json(doneResult, path("captions", `${cid}/${captions}`), { method: "DELETE", ...options });
    },
    prepare: async (cid, { presets, codec, signal } = {}) => {
      const call = {
        method: "POST",
        body: JSON.stringify({ cid, presets, codec }),
        headers: { "content-type": "application/json" },
        signal,
      } as const;
      return (await http.json(prepareResult, "/api/v0/prepare", call)).jobId;
    },
    job: async (id, options) => http.json(jobBody, path("jobs", id), options),
    jobs: async options => (await http.json(jobsResult, "/api/v0/jobs", options)).jobs,
    cancelJob: async (id, options) => http.json(jobBody, path("jobs", id), { method: "DELETE", ...options }),
    id: async options => http.json(idResult, "/api/v0/id", options),
    version: async options => http.json(versionResult, "/api/v0/version", options),
    status: async options => http.json(nodeStatus, "/api/v0/status", options),
    stalls: async options => (await http.json(stallReports, "/api/v0/why-stalled", options)).sessions,
    whyStalled: async (id, options) =>
      http.json(stallReport, `/api/v0/why-stalled/${encodeURIComponent(id)}`, options),
    check: async (request, options) =>
      http.json(checkReport, "/api/v0/check", {
        method: "POST",
        body: JSON.stringify(request),
        headers: { "content-type": "application/json" },
        ...options,
      }),
    peers: async options => (await http.json(peersResult, "/api/v0/peers", options)).peers,
    connect: async (address, options) =>
      http.json(connectResult, "/api/v0/peers/connect", {
        method: "POST",
        body: JSON.stringify({ address }),
        headers: { "content-type": "application/json" },
        ...options,
      }),
    addWebhook: async (request, options) =>
      http.json(webhookAdded, "/api/v0/webhooks", {
        method: "POST",
        body: JSON.stringify(request),
        headers: { "content-type": "application/json" },
        ...options,
      }),
    webhooks: async options => (await http.json(webhooksResult, "/api/v0/webhooks", options)).webhooks,
    removeWebhook: async (id, options) => {
      await http.json(doneResult, `/api/v0/webhooks/${encodeURIComponent(id)}`, {
        method: "DELETE",
        ...options,
      });
    },
    beginTransfer: async (request, options) =>
      http.json(transferResult, "/api/v0/transfers", {
        method: "POST",
        body: JSON.stringify(request),
        headers: { "content-type": "application/json" },
        ...options,
      }),
    transfer: async (id, options) =>
      http.json(transferResult, `/api/v0/transfers/${encodeURIComponent(id)}`, options),
    transfers: async options =>
      (await http.json(transfersResult, "/api/v0/transfers", { query: { limit: MAX_PAGE_SIZE }, ...options }))
        .transfers,
    push: async (request, options) =>
      http.json(pushResult, "/api/v0/push", {
        method: "POST",
        body: JSON.stringify(request),
        headers: { "content-type": "application/json" },
        ...options,
      }),
    changeTransfer: async (id, change, options) => {
      const path = `/api/v0/transfers/${encodeURIComponent(id)}`;
      return change === "cancel"
        ? http.json(transferResult, path, { method: "DELETE", ...options })
        : http.json(transferResult, `${path}/${change}`, { method: "POST", ...options });
    },
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
