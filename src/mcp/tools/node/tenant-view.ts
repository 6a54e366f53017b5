import { type AbortOptions, CidcastError, type Principal } from "../../../core/index.ts";
import type { Content } from "../../../content/index.ts";
import type { Tenancy, TenantContentRecord } from "../../../tenancy/index.ts";

/** Content as one caller sees it. The owner sees everything; a tenant what it has put in. */
export interface ContentView {
  search(query: { readonly search?: string; readonly limit: number; readonly offset: number }): Promise<{
    readonly records: readonly TenantContentRecord[];
    readonly total: number;
  }>;
  record(cid: string): Promise<TenantContentRecord | undefined>;
  /** `CONTENT_NOT_FOUND` when the caller may not see the root of the reference, as when nobody has it. */
  require(ref: string): Promise<void>;
  add(bytes: Uint8Array, name: string | undefined, options: AbortOptions): Promise<TenantContentRecord>;
  /** Pins by which the caller holds the content. */
  pinNames(cid: string): Promise<string[]>;
  pin(cid: string, name: string, options: AbortOptions): Promise<void>;
  unpin(cid: string, name: string, options: AbortOptions): Promise<void>;
  /** What {@link remove} would do. */
  removal(cid: string): Promise<Removal>;
  remove(cid: string, options: AbortOptions): Promise<Removal>;
}

/** What is taken away with a piece of content, as the caller sees it. */
export interface Removal {
  readonly record: TenantContentRecord;
  readonly pins: readonly string[];
}

/** The root of a reference: a CID, with or without `/ipfs/` before and a path after. */
export function rootOf(ref: string): string {
  return ref.replace(/^(\/ipfs\/|ipfs:\/\/)/, "").split(/[/?#]/, 1)[0] ?? "";
}

export function contentViewFor(content: Content, tenancy: Tenancy, principal: Principal): ContentView {
  const { tenantId } = principal;
  return tenantId === undefined ? ownerView(content) : tenantView(content, tenancy, principal, tenantId);
}

function ownerView(content: Content): ContentView {
  const require = async (cid: string): Promise<TenantContentRecord> => {
    const record = await content.record(cid);
    if (record === undefined) throw notFound(cid);
    return record;
  };
  const pinNames = async (cid: string): Promise<string[]> =>
    (await content.pins()).filter(pin => pin.cid === cid).map(pin => pin.name);
  const removal = async (cid: string): Promise<Removal> => ({
    record: await require(cid),
    pins: await pinNames(cid),
  });
  return {
    search: query => content.list(query),
    record: cid => content.record(cid),
    require: async () => {},
    add: (bytes, name, options) =>
      content.add(once(bytes), { ...options, ...(name !== undefined && { name }) }),
    pinNames,
    pin: async (cid, name, options) => {
      await content.pin(cid, { ...options, name });
    },
    unpin: (cid, name, options) => content.unpin(cid, { ...options, name }),
    removal,
    async remove(cid, options) {
      const removed = await removal(cid);
      await content.remove(cid, options);
      return removed;
    },
  };
}

function tenantView(content: Content, tenancy: Tenancy, principal: Principal, tenantId: string): ContentView {
  /** Pins of tenants carry the tenant's id, so that they count how many hold a piece of content. */
  const mark = `tenant:${tenantId}`;
  const ownName = (name: string): string => (name === "" ? mark : `${mark}:${name}`);
  const require = (ref: string): Promise<void> => tenancy.content.requireRead(principal, rootOf(ref));
  const pinNames = async (cid: string): Promise<string[]> =>
    (await content.pins())
      .filter(pin => pin.cid === cid && (pin.name === mark || pin.name.startsWith(`${mark}:`)))
      .map(pin => pin.name.slice(mark.length + 1));
  const removal = async (cid: string): Promise<Removal> => {
    const record = await tenancy.content.record(tenantId, cid);
    if (record === undefined) throw notFound(cid);
    return { record, pins: await pinNames(cid) };
  };
  return {
    search: query => tenancy.content.list(tenantId, query),
    record: cid => tenancy.content.record(tenantId, cid),
    require,
    async add(bytes, name, options) {
      tenancy.quotas.checkStorage(tenantId, await tenancy.content.usedBytes(tenantId), bytes.length);
      const added = await content.add(once(bytes), {
        ...options,
        pin: mark,
        ...(name !== undefined && { name }),
      });
      // The name is this tenant's own: the node's record may have another, which is not for it to see.
      const record = { cid: added.cid, name, size: added.size, contentType: added.contentType };
      await tenancy.content.grant(tenantId, record);
      return { ...record, addedAtMs: added.addedAtMs };
    },
    pinNames,
    async pin(cid, name, options) {
      await require(cid);
      await content.pin(cid, { ...options, name: ownName(name) });
    },
    async unpin(cid, name, options) {
      await require(cid);
      await content.unpin(cid, { ...options, name: ownName(name) });
    },
    removal,
    async remove(cid, options) {
      const removed = await removal(cid);
      for (const name of removed.pins) await content.unpin(cid, { ...options, name: ownName(name) });
      const last = await tenancy.content.revoke(tenantId, cid);
      const stillPinned = (await content.pins()).some(pin => pin.cid === cid);
      if (last && !stillPinned && (await content.record(cid)) !== undefined)
        await content.remove(cid, options);
      return removed;
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function notFound(cid: string): CidcastError {
  return new CidcastError("CONTENT_NOT_FOUND", `Neither this node nor a connected peer has ${cid}`);
}
