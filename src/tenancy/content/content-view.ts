import { type AbortOptions, CidcastError } from "../../core/index.ts";
import type { TenantQuotas } from "../quotas/quotas.ts";
import type { TenantContent, TenantContentRecord } from "./tenant-content.ts";

/** A record as the node keeps it, and as a tenant is shown it. */
export interface ViewRecord extends TenantContentRecord {
  readonly media: Readonly<Record<string, unknown>> | undefined;
}

interface ViewAddOptions extends AbortOptions {
  readonly name?: string;
  readonly contentType?: string;
  readonly totalBytes?: number;
  readonly pin?: string | false;
}

interface ViewDirectoryEntry {
  readonly path: string;
  readonly content: AsyncIterable<Uint8Array>;
}

interface ViewPin {
  readonly cid: string;
  readonly name: string;
  readonly pinnedAtMs: number;
}

type PinOptions = AbortOptions & { readonly name?: string };

/** What is kept of content, by whoever: the part of the content domain that has owners. */
export interface OwnedContent {
  add(source: AsyncIterable<Uint8Array>, options?: ViewAddOptions): Promise<ViewRecord>;
  addDirectory(entries: AsyncIterable<ViewDirectoryEntry>, options?: ViewAddOptions): Promise<ViewRecord>;
  list(query?: {
    readonly search?: string;
    readonly limit?: number;
    readonly offset?: number;
  }): Promise<{ readonly records: ViewRecord[]; readonly total: number }>;
  record(cid: string): Promise<ViewRecord | undefined>;
  pin(cid: string, options?: PinOptions): Promise<ViewPin>;
  unpin(cid: string, options?: PinOptions): Promise<void>;
  pins(): Promise<ViewPin[]>;
  remove(cid: string, options?: AbortOptions): Promise<void>;
}

interface ContentViewComponents {
  readonly content: TenantContent;
  readonly quotas: TenantQuotas;
}

/** Records in one answer when the caller names no number. */
const DEFAULT_PAGE = 100;

/**
 * Content as tenants have it: each adds, finds, pins and removes its own, within its quota. Blocks are shared, names and pins
 * are not.
 */
export function createContentViews({
  content,
  quotas,
}: ContentViewComponents): (store: OwnedContent, tenantId: string) => OwnedContent {
  /** Bytes of adds that run, by tenant: several at a time have one quota. */
  const running = new Map<string, number>();
  const bookFor = async (tenantId: string): Promise<Booking> => {
    const used = await content.usedBytes(tenantId);
    let booked = 0;
    const change = (bytes: number): number => {
      booked += bytes;
      const sum = (running.get(tenantId) ?? 0) + bytes;
      if (sum === 0) running.delete(tenantId);
      else running.set(tenantId, sum);
      return sum;
    };
    return {
      more: bytes => quotas.checkStorage(tenantId, used, change(bytes)),
      expect: bytes => quotas.checkStorage(tenantId, used + (running.get(tenantId) ?? 0), bytes),
      [Symbol.dispose]: () => void change(-booked),
    };
  };
  return (store, tenantId) => createView({ content, store, tenantId, book: () => bookFor(tenantId) });
}

/** Room that an add takes of its tenant's quota while it runs. */
interface Booking extends Disposable {
  /** `LIMIT_REACHED` when there is no room for so many bytes beside what is kept and on its way. */
  expect(bytes: number): void;
  more(bytes: number): void;
}

function createView(init: {
  readonly content: TenantContent;
  readonly store: OwnedContent;
  readonly tenantId: string;
  readonly book: () => Promise<Booking>;
}): OwnedContent {
  const { content, store, tenantId, book } = init;
  /** Pins of tenants carry the tenant's id, so that they count how many hold a piece of content. */
  const mark = `tenant:${tenantId}`;
  const pinName = (name: string): string => (name === "" ? mark : `${mark}:${name}`);
  const require = async (cid: string): Promise<TenantContentRecord> => {
    const record = await content.record(tenantId, cid);
    if (record === undefined) throw notFound(cid);
    return record;
  };
  const pinOf = ({ pin = "" }: ViewAddOptions): string | false => (pin === false ? false : pinName(pin));
  const kept = async (added: ViewRecord, name: string | undefined): Promise<ViewRecord> => {
    // The name is this tenant's own: the node's record may have another, which is not for it to see.
    const record = { ...added, name };
    await content.grant(tenantId, record);
    return record;
  };
  const pins = async (): Promise<ViewPin[]> =>
    (await store.pins())
      .filter(pin => pin.name === mark || pin.name.startsWith(`${mark}:`))
      .map(pin => ({ ...pin, name: pin.name.slice(mark.length + 1) }));
  const withMedia = async (own: TenantContentRecord): Promise<ViewRecord> => ({
    ...own,
    media: (await store.record(own.cid))?.media,
  });
  return {
    async add(source, options = {}) {
      using booking = await book();
      if (options.totalBytes !== undefined) booking.expect(options.totalBytes);
      const added = await store.add(counted(source, booking), { ...options, pin: pinOf(options) });
      return kept(added, options.name);
    },
    async addDirectory(entries, options = {}) {
      using booking = await book();
      const added = await store.addDirectory(countedEntries(entries, booking), {
        ...options,
        pin: pinOf(options),
      });
      return kept(added, options.name);
    },
    async list({ search, limit = DEFAULT_PAGE, offset = 0 } = {}) {
      const { records, total } = await content.list(tenantId, { search, limit, offset });
      return { records: await Promise.all(records.map(withMedia)), total };
    },
    async record(cid) {
      const own = await content.record(tenantId, cid);
      return own === undefined ? undefined : withMedia(own);
    },
    async pin(cid, options = {}) {
      await require(cid);
      const { name = "" } = options;
      return { ...(await store.pin(cid, { ...options, name: pinName(name) })), name };
    },
    async unpin(cid, options = {}) {
      await require(cid);
      await store.unpin(cid, { ...options, name: pinName(options.name ?? "") });
    },
    pins,
    async remove(cid, options) {
      await require(cid);
      for (const pin of await pins()) {
        if (pin.cid === cid) await store.unpin(cid, { ...options, name: pinName(pin.name) });
      }
      const last = await content.revoke(tenantId, cid);
      const stillPinned = (await store.pins()).some(pin => pin.cid === cid);
      if (last && !stillPinned && (await store.record(cid)) !== undefined) await store.remove(cid, options);
    },
  };
}

async function* counted(source: AsyncIterable<Uint8Array>, booking: Booking): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    booking.more(chunk.length);
    yield chunk;
  }
}

async function* countedEntries(
  entries: AsyncIterable<ViewDirectoryEntry>,
  booking: Booking,
): AsyncGenerator<ViewDirectoryEntry> {
  for await (const entry of entries) yield { ...entry, content: counted(entry.content, booking) };
}

function notFound(cid: string): CidcastError {
  return new CidcastError("CONTENT_NOT_FOUND", `Neither this node nor a connected peer has ${cid}`);
}
