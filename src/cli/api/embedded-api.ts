import { type AddResult, MAX_PAGE_SIZE, probeResult, pushResult } from "@cidcast/protocols/node-api";
import { jobBody } from "@cidcast/protocols/node-api/jobs";
import { captionTrackBody, captionsResult } from "@cidcast/protocols/node-api/media";
import { type AddOptions, carEntry, carHeader, type ContentRecord } from "../../content/index.ts";
import { CidcastError } from "../../core/index.ts";
import type { CidcastNode } from "../../node.ts";
import { transferBodyOf } from "../../http/index.ts";
import type { ApiAddOptions, NodeApi } from "./node-api.ts";

/** The same commands on a data directory that no node serves. Closing it closes the node. */
export function createEmbeddedApi(node: CidcastNode): NodeApi {
  const { content, media, prepare, version, transfers } = node;
  return {
    url: node.url,
    add: async (source, options = {}) => addResultOf(await content.add(source, addOptionsOf(options))),
    addDirectory: async (entries, options = {}) =>
      addResultOf(await content.addDirectory(entries, addOptionsOf(options))),
    async *list(search, options = {}) {
      for (let offset = 0; ; ) {
        options.signal?.throwIfAborted();
        const query = { offset, limit: MAX_PAGE_SIZE, ...(search !== undefined && { search }) };
        const { records, total } = await content.list(query);
        for (const { name, media, ...record } of records) {
          yield {
            ...record,
            ...(name !== undefined && { name }),
            ...(media !== undefined && { media: { ...media } }),
          };
        }
        offset += records.length;
        if (records.length === 0 || offset >= total) return;
      }
    },
    async *ls(ref, options = {}) {
      for await (const { name, cid, type, size } of content.ls(ref, options)) {
        yield { name, cid, type, ...(size !== undefined && { size }) };
      }
    },
    stat: async (ref, options) => content.stat(ref, options),
    cat: (ref, options) => content.cat(ref, options),
    async *exportCar(ref, options = {}) {
      const dag = await content.dag(ref, options);
      yield carHeader([dag.end]);
      for await (const block of dag.blocks) yield Buffer.concat(carEntry(block));
    },
    importCar: async (source, { pin, totalBytes, signal } = {}) => {
      const { roots, blocks, bytes } = await content.importCar(source, {
        signal,
        totalBytes,
        ...(pin !== undefined && { pin }),
      });
      return { roots: [...roots], blocks, bytes };
    },
    remove: async (cid, options) => content.remove(cid, options),
    pin: async (cid, name, options) => content.pin(cid, { ...options, ...(name !== undefined && { name }) }),
    unpin: async (cid, name, options) =>
      content.unpin(cid, { ...options, ...(name !== undefined && { name }) }),
    pins: async () => content.pins(),
    gc: async options => content.gc(options),
    probe: async (ref, options) => probeResult.parse(await media.probe(ref, options)),
    captions: async (cid, options) => captionsResult.parse(await node.captions.list(cid, "", options)),
    attachCaptions: async (cid, captions, options) =>
      captionTrackBody.parse(await node.captions.attach(cid, captions, "", options)),
    detachCaptions: async (cid, captions, options) => {
      if (await node.captions.detach(cid, captions, "", options)) return;
      throw new CidcastError("CONTENT_NOT_FOUND", `${captions} is not attached to ${cid}`);
    },
    prepare: async (cid, options) => (await prepare.submit(cid, options)).id,
    job: async id => jobBody.parse(await prepare.job(id)),
    jobs: async () => (await prepare.jobs()).map(job => jobBody.parse(job)),
    cancelJob: async id => jobBody.parse(await prepare.cancel(id)),
    id: async () => ({
      ...(node.peer !== undefined && { peerId: node.peer.id }),
      addresses: [],
      agent: `cidcast/${version}`,
    }),
    version: async () => ({ name: "cidcast", version, node: process.version }),
    status: async () => node.status(),
    stalls: async () => notServing("has viewers"),
    whyStalled: async () => notServing("has viewers"),
    check: async (request, options) => node.checkConnectivity({ ...request, ...options }),
    peers: async () => notServing("has peers"),
    connect: async () => notServing("dials peers"),
    addWebhook: async () => notServing("has webhooks"),
    webhooks: async () => notServing("has webhooks"),
    removeWebhook: async () => notServing("has webhooks"),
    beginTransfer: async request => transferBodyOf(await transfers.begin(request)),
    transfer: async id => transferBodyOf(await transfers.transfer(id)),
    transfers: async () => (await transfers.list({ limit: MAX_PAGE_SIZE })).transfers.map(transferBodyOf),
    push: async (request, options) => pushResult.parse(await transfers.push({ ...request, ...options })),
    changeTransfer: async (id, change) => transferBodyOf(await transfers[change](id)),
    playbackToken: async () => notServing("makes tokens"),
    shutdown: async () => notServing("can be stopped"),
    [Symbol.asyncDispose]: async () => node.stop(),
  };
}

function addOptionsOf({ name, pin, totalBytes, signal }: ApiAddOptions): AddOptions {
  return {
    signal,
    ...(name !== undefined && { name }),
    ...(pin !== undefined && { pin }),
    ...(totalBytes !== undefined && { totalBytes }),
  };
}

function addResultOf({ cid, name, size, contentType }: ContentRecord): AddResult {
  return { cid, ...(name !== undefined && { name }), size, contentType };
}

function notServing(what: string): never {
  throw new CidcastError(
    "NODE_UNREACHABLE",
    `No node runs on this data directory, and only a running one ${what}`,
  );
}
