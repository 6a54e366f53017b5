import type { ListSort } from "@cidcast/protocols/node-api";
import { type AbortOptions, CidcastError, type EventPublisher } from "../../core/index.ts";
import type { TenantQuotas } from "../quotas/quotas.ts";
import { type OwnedContentEvents, tellLater, tellTenant } from "./content-events.ts";
import type { TenantContent, TenantContentRecord } from "./tenant-content.ts";

/** A record as the node keeps it, and as a tenant is shown it. */
export interface ViewRecord extends TenantContentRecord {
  readonly media: Readonly<Record<string, unknown>> | undefined;
}

interface ChangeOptions extends AbortOptions {
  /** Who is told what happens, in place of the node. */
  readonly events?: EventPublisher<OwnedContentEvents> | undefined;
}

interface ViewAddOptions extends ChangeOptions {
  readonly name?: string;
  readonly contentType?: string;
  readonly totalBytes?: number;
  readonly pin?: string | false;
}

interface ViewDirectoryEntry {
  readonly path: string;
  readonly content: AsyncIterable<Uint8Array>;
}

interface ViewCarOptions extends ChangeOptions {
  readonly pin?: string | false;
  readonly totalBytes?: number | undefined;
  readonly whole?: boolean;
}

interface ViewCar {
  readonly roots: readonly string[];
  readonly blocks: number;
  readonly bytes: number;
  readonly contents: readonly Pick<ViewRecord, "cid" | "size" | "contentType">[];
}

interface ViewPin {
  readonly cid: string;
  readonly name: string;
  readonly pinnedAtMs: number;
}

interface ViewPinQuery {
  readonly cid?: string;
  readonly namePrefix?: string;
}

type PinOptions = ChangeOptions & { readonly name?: string };

/** What is kept of content, by whoever: the part of the content domain that has owners. */
export interface OwnedContent {
  add(source: AsyncIterable<Uint8Array>, options?: ViewAddOptions): Promise<ViewRecord>;
  addDirectory(entries: AsyncIterable<ViewDirectoryEntry>, options?: ViewAddOptions): Promise<ViewRecord>;
  /** Takes in the blocks of a CAR. Of a tenant's, each root has to be whole: others' blocks complete nothing. */
  importCar(source: AsyncIterable<Uint8Array>, options?: ViewCarOptions): Promise<ViewCar>;
  list(query?: {
    readonly search?: string;
    readonly sort?: ListSort;
    readonly limit?: number;
    readonly offset?: number;
  }): Promise<{ readonly records: ViewRecord[]; readonly total: number }>;
  record(cid: string): Promise<ViewRecord | undefined>;
  pin(cid: string, options?: PinOptions): Promise<ViewPin>;
  unpin(cid: string, options?: PinOptions): Promise<void>;
  pins(query?: ViewPinQuery): Promise<ViewPin[]>;
  remove(cid: string, options?: ChangeOptions): Promise<void>;
}

interface ContentViewComponents {
  readonly content: TenantContent;
  readonly quotas: TenantQuotas;
  readonly events: EventPublisher<OwnedContentEvents>;
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
  events,
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
  return (store, tenantId) => createView({ content, store, events, tenantId, book: () => bookFor(tenantId) });
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
  readonly events: EventPublisher<OwnedContentEvents>;
  readonly tenantId: string;
  readonly book: () => Promise<Booking>;
}): OwnedContent {
  const { content, store, events, tenantId, book } = init;
  /** Pins of tenants carry the tenant's id, so that they count how many hold a piece of content. */
  const mark = `tenant:${tenantId}`;
  const pinName = (name: string): string => (name === "" ? mark : `${mark}:${name}`);
  const ownName = (name: string): string => name.slice(mark.length + 1);
  const told = { events: tellTenant(events, { tenantId, ownName }) };
  const require = async (cid: string): Promise<TenantContentRecord> => {
    const record = await content.record(tenantId, cid);
    if (record === undefined) throw notFound(cid);
    return record;
  };
  const pinOf = ({ pin = "" }: Pick<ViewAddOptions, "pin">): string | false =>
    pin === false ? false : pinName(pin);
  /** Remembers that the tenant has it, and tells so when it had not before. */
  const granted = async (
    { cid, name, size, contentType }: Omit<TenantContentRecord, "addedAtMs">,
    known: TenantContentRecord | undefined,
  ): Promise<void> => {
    await content.grant(tenantId, { cid, name, size, contentType });
    if (known === undefined) events.publish("content_added", { cid, name, size, contentType }, { tenantId });
  };
  const kept = async (
    added: ViewRecord,
    name: string | undefined,
    tellRest: () => void,
  ): Promise<ViewRecord> => {
    // The name is this tenant's own: the node's record may have another, which is not for it to see.
    const record = { ...added, name };
    await granted(record, await content.record(tenantId, record.cid));
    tellRest();
    return record;
  };
  const pins = async ({ cid, namePrefix = "" }: ViewPinQuery = {}): Promise<ViewPin[]> =>
    (await store.pins({ ...(cid !== undefined && { cid }), namePrefix: mark }))
      .filter(pin => pin.name === mark || pin.name.startsWith(`${mark}:`))
      .map(pin => ({ ...pin, name: ownName(pin.name) }))
      .filter(pin => pin.name.startsWith(namePrefix));
  const withMedia = async (own: TenantContentRecord): Promise<ViewRecord> => ({
    ...own,
    media: (await store.record(own.cid))?.media,
  });
  return {
    async add(source, options = {}) {
      using booking = await book();
      if (options.totalBytes !== undefined) booking.expect(options.totalBytes);
      const later = tellLater(told.events);
      const { events: heard } = later;
      const pin = pinOf(options);
      const added = await store.add(counted(source, booking), { ...options, events: heard, pin });
      return kept(added, options.name, later.flush);
    },
    async addDirectory(entries, options = {}) {
      using booking = await book();
      const later = tellLater(told.events);
      const added = await store.addDirectory(countedEntries(entries, booking), {
        ...options,
        events: later.events,
        pin: pinOf(options),
      });
      return kept(added, options.name, later.flush);
    },
    async importCar(source, options = {}) {
      using booking = await book();
      if (options.totalBytes !== undefined) booking.expect(options.totalBytes);
      const later = tellLater(told.events);
      const imported = await store.importCar(counted(source, booking), {
        ...options,
        events: later.events,
        pin: pinOf(options),
        whole: true,
      });
      for (const root of imported.contents) {
        const known = await content.record(tenantId, root.cid);
        await granted({ ...root, name: known?.name }, known);
      }
      later.flush();
      return imported;
    },
    async list({ search, sort, limit = DEFAULT_PAGE, offset = 0 } = {}) {
      const { records, total } = await content.list(tenantId, { search, sort, limit, offset });
      return { records: await Promise.all(records.map(withMedia)), total };
    },
    async record(cid) {
      const own = await content.record(tenantId, cid);
      return own === undefined ? undefined : withMedia(own);
    },
    async pin(cid, options = {}) {
      await require(cid);
      const { name = "" } = options;
      return { ...(await store.pin(cid, { ...options, ...told, name: pinName(name) })), name };
    },
    async unpin(cid, options = {}) {
      await require(cid);
      await store.unpin(cid, { ...options, ...told, name: pinName(options.name ?? "") });
      if ((await pins({ cid })).length === 0)
        events.publish("pin_status_changed", { cid, status: "unpinned" }, { tenantId });
    },
    pins,
    async remove(cid, options) {
      await require(cid);
      for (const { name } of await pins({ cid })) {
        await store.unpin(cid, { ...options, ...told, name: pinName(name) });
      }
      const last = await content.revoke(tenantId, cid);
      const stillPinned = (await store.pins({ cid })).length > 0;
      if (last && !stillPinned && (await store.record(cid)) !== undefined) {
        await store.remove(cid, { ...options, ...told });
      }
      events.publish("content_removed", { cid }, { tenantId });
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
