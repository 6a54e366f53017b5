import type { Content } from "../../../content/index.ts";
import { type AbortOptions, CidcastError, type Principal } from "../../../core/index.ts";
import type { OwnedContent, Tenancy, TenantContentRecord } from "../../../tenancy/index.ts";

/** Content as one caller sees it. The owner sees everything; a tenant what it has put in. */
export interface ContentView extends Pick<OwnedContent, "add" | "pins" | "record" | "remove"> {
  search(query: { readonly search?: string; readonly limit: number; readonly offset: number }): Promise<{
    readonly records: readonly TenantContentRecord[];
    readonly total: number;
  }>;
  /** `CONTENT_NOT_FOUND` when the caller may not see the root of the reference, as when nobody has it. */
  require(ref: string): Promise<void>;
  /** Pins by which the caller holds the content. */
  pinNames(cid: string): Promise<string[]>;
  pin(cid: string, name: string, options: AbortOptions): Promise<void>;
  unpin(cid: string, name: string, options: AbortOptions): Promise<void>;
  /** What `remove` would do. */
  removal(cid: string): Promise<Removal>;
}

/** What is taken away with a piece of content, as the caller sees it. */
export interface Removal {
  readonly record: TenantContentRecord;
  readonly pins: readonly string[];
}

/** The root of a reference: a CID, with or without `/ipfs/` before and a path after. */
function rootOf(ref: string): string {
  return ref.replace(/^(\/ipfs\/|ipfs:\/\/)/, "").split(/[/?#]/, 1)[0] ?? "";
}

export function contentViewFor(content: Content, tenancy: Tenancy, principal: Principal): ContentView {
  const { tenantId } = principal;
  const own: OwnedContent = tenantId === undefined ? content : tenancy.contentView(content, tenantId);
  const pinNames = async (cid: string): Promise<string[]> => (await own.pins({ cid })).map(pin => pin.name);
  return {
    search: query => own.list(query),
    record: cid => own.record(cid),
    require: ref => tenancy.content.requireRead(principal, rootOf(ref)),
    add: (source, options) => own.add(source, options),
    pins: () => own.pins(),
    pinNames,
    async pin(cid, name, options) {
      await own.pin(cid, { ...options, name });
    },
    unpin: (cid, name, options) => own.unpin(cid, { ...options, name }),
    async removal(cid) {
      const record = await own.record(cid);
      if (record === undefined) {
        throw new CidcastError("CONTENT_NOT_FOUND", `Neither this node nor a connected peer has ${cid}`);
      }
      return { record, pins: await pinNames(cid) };
    },
    remove: (cid, options) => own.remove(cid, options),
  };
}
