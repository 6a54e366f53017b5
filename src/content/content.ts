import { join } from "node:path";
import type { CID } from "multiformats/cid";
import {
  type AbortOptions,
  anySignal,
  CidcastError,
  raceSignal,
  type Clock,
  type EventPublisher,
  type Logger,
  type Metrics,
  type Service,
} from "../core/index.ts";
import type { Database } from "../store/index.ts";
import type { BlockDurability, BlockGuard, Blockstore } from "./blockstore/blockstore.ts";
import { FlatBlockstore } from "./blockstore/flat-blockstore.ts";
import { MemoryBlockstore } from "./blockstore/memory-blockstore.ts";
import { Mutex } from "./blockstore/mutex.ts";
import { PackBlockstore } from "./blockstore/pack/index.ts";
import { type Blocks, VerifiedBlocks } from "./dag/blocks.ts";
import type { DagBlock } from "./car/codec.ts";
import type { DagSelection } from "./car/select.ts";
import { IDENTITY, parseCid } from "./dag/cid.ts";
import { type Denylist, noDenylist } from "./denylist/denylist.ts";
import { type ContentLimits, DEFAULT_CONTENT_LIMITS, REMOVE_WAIT_MS } from "./limits.ts";
import { contentMetrics } from "./metrics.ts";
import { RecordStore } from "./records/record-store.ts";
import type {
  AddOptions,
  BlockNetwork,
  CarImport,
  Content,
  ChangeOptions,
  ContentEvents,
  ContentFile,
  ContentHold,
  ContentRecord,
  ContentStat,
  DagExport,
  DirectoryEntry,
  DirectoryEntrySource,
  GcResult,
  ImportCarOptions,
  ListQuery,
  MediaSummary,
  PathOptions,
  Pin,
  PinQuery,
  RangeOptions,
  ResolvedPath,
} from "./types.ts";
import { NodeCache } from "./unixfs/index.ts";
import { Adder } from "./verbs/add.ts";
import { collect } from "./verbs/collect.ts";
import { exportPinned } from "./verbs/export-pinned.ts";
import type { ContentContext } from "./verbs/context.ts";
import { blockOf, exportDag, resolvePath } from "./verbs/dag.ts";
import { Holds } from "./verbs/holds.ts";
import { importCar } from "./verbs/import-car.ts";
import { type PinOptions, pinDag, unpinDag } from "./verbs/pin.ts";
import { kindOf, listDirectory, openFile, resolveRef, statRef, typeOf } from "./verbs/read.ts";
import { writeFile } from "./verbs/write.ts";

export interface BlockstoreInit {
  /**
   * `pack` by default: the fastest measured (bench/add, bench/range-read). `flat` is a file per block, as
   * blockstore-fs lays them out. `memory` forgets with the process: for tests.
   */
  readonly kind?: "pack" | "flat" | "memory";
  /** `process` by default: a kill loses nothing. `full`: nor does a power cut, at an fsync per batch of 4 MiB. */
  readonly durability?: BlockDurability;
}

export interface ContentInit {
  /** The node's data directory; blocks go into `blocks` in it. */
  readonly directory: string;
  readonly blockstore?: BlockstoreInit;
  readonly limits?: Partial<ContentLimits>;
}

export interface ContentComponents {
  readonly database: Pick<Database, "tables">;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventPublisher<ContentEvents>;
  readonly clock: Clock;
  /** What may be neither served nor fetched; default nothing. */
  readonly denylist?: Denylist;
  /** Where blocks come from that are not here; without it only what is here can be read. */
  readonly network?: BlockNetwork;
}

/** The content domain as the composition root sees it. */
export interface ContentService extends Content, Service, AsyncDisposable {
  /** Single blocks, verified: for peers and transfers. */
  readonly blocks: Blocks;
  /** Writes a file's blocks and gives back its CID: no record, no pin. Keep a guard open until something links to it. */
  write(bytes: Uint8Array, options?: AbortOptions): Promise<string>;
  /** While open, blocks that are put or touched are not collected: for transfers, whose root may come last. */
  guard(): BlockGuard;
  /** Runs `work` while nothing is collected: what is pinned when it begins stays until it ends. */
  keeping<T>(work: () => Promise<T>): Promise<T>;
  /** Hands over every block here that a pin needs, once each. Within {@link ContentService.keeping}. */
  exportPinned(write: (block: DagBlock) => Promise<void>, options?: AbortOptions): Promise<void>;
  /** Blocks here, and their bytes. */
  usage(): Promise<{ readonly blocks: number; readonly bytes: number }>;
}

/** Content on a disk, verified as it is read. Start it before use. */
export function createContent(init: ContentInit): (components: ContentComponents) => ContentService {
  return components => new DefaultContent(init, components);
}

function createBlockstore(directory: string, init: BlockstoreInit): Blockstore {
  if (init.kind === "memory") return new MemoryBlockstore();
  const { durability = "process" } = init;
  if (init.kind === "flat") return new FlatBlockstore({ directory, durability });
  return new PackBlockstore({ directory, durability });
}

class DefaultContent implements ContentService {
  readonly name = "content";
  readonly blocks: Blocks;
  readonly #context: ContentContext;
  readonly #adder: Adder;
  readonly #collecting = new Mutex();
  readonly #stopping = new AbortController();
  readonly #adds = new Set<Promise<unknown>>();
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(init: ContentInit, components: ContentComponents) {
    const directory = join(init.directory, "blocks");
    const store = createBlockstore(directory, init.blockstore ?? {});
    const holds = new Holds();
    const metrics = contentMetrics(components.metrics, () => holds.size);
    const limits = { ...DEFAULT_CONTENT_LIMITS, ...init.limits };
    const { network, log, clock, events, denylist = noDenylist } = components;
    this.blocks = new VerifiedBlocks({ store, network, denylist, metrics, log }, limits.findTimeoutMs);
    this.#context = {
      store,
      denylist,
      blocks: this.blocks,
      nodes: new NodeCache(this.blocks),
      records: new RecordStore(components.database),
      holds,
      events,
      metrics,
      limits,
      clock,
      log,
      directory: init.blockstore?.kind === "memory" ? undefined : directory,
    };
    this.#adder = new Adder(this.#context);
  }

  start(): Promise<void> {
    this.#started ??= this.#context.store.open();
    return this.#started;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  add(source: AsyncIterable<Uint8Array>, options: AddOptions = {}): Promise<ContentRecord> {
    return this.#tracked(this.#adder.addFile(source, this.#until(options)));
  }

  addDirectory(
    entries: AsyncIterable<DirectoryEntrySource>,
    options: AddOptions = {},
  ): Promise<ContentRecord> {
    return this.#tracked(this.#adder.addDirectory(entries, this.#until(options)));
  }

  async resolve(
    ref: string,
    options: AbortOptions = {},
  ): Promise<{ readonly cid: string; readonly type: "file" | "directory" }> {
    const cid = await resolveRef(this.#context, ref, options);
    return { cid: cid.toString(), type: await kindOf(this.#context, cid, options) };
  }

  open(ref: string, options: AbortOptions = {}): Promise<ContentFile> {
    return openFile(this.#context, ref, options);
  }

  async *cat(ref: string, options: RangeOptions = {}): AsyncGenerator<Uint8Array> {
    await using file = await openFile(this.#context, ref, options);
    yield* file.stream(options);
  }

  ls(ref: string, options: AbortOptions = {}): AsyncGenerator<DirectoryEntry> {
    return listDirectory(this.#context, ref, options);
  }

  stat(ref: string, options: AbortOptions = {}): Promise<ContentStat> {
    return statRef(this.#context, ref, options);
  }

  async remove(text: string, options: ChangeOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const cid = parseCid(text);
    const { holds, records, events } = this.#telling(options);
    if (holds.isHeld(cid) && !(await this.#isFreeSoon(cid, options))) {
      throw new CidcastError("CONTENT_IN_USE", `${cid.toString()} is playing or being transferred`);
    }
    const { pins, hadRecord } = await records.remove(cid.toString());
    for (const name of pins) events.publish("pin_removed", { cid: cid.toString(), name });
    if (hadRecord) events.publish("content_removed", { cid: cid.toString() });
    if (!hadRecord && pins.length === 0) {
      throw new CidcastError("CONTENT_NOT_FOUND", `${cid.toString()} has not been added here`);
    }
  }

  /** A look at a picture or a short read is over in a moment; who plays or transfers it goes on. */
  async #isFreeSoon(cid: CID, { signal }: AbortOptions): Promise<boolean> {
    const { holds, clock } = this.#context;
    const waited = Promise.withResolvers<boolean>();
    const cancel = clock.after(REMOVE_WAIT_MS, () => waited.resolve(false));
    try {
      return await raceSignal(Promise.race([holds.free(cid).then(() => true), waited.promise]), signal);
    } finally {
      cancel();
    }
  }

  pin(cid: string, options: PinOptions = {}): Promise<Pin> {
    return this.#tracked(pinDag(this.#telling(options), cid, this.#until(options)));
  }

  unpin(cid: string, options: PinOptions = {}): Promise<void> {
    return unpinDag(this.#telling(options), cid, options);
  }

  pins(query: PinQuery = {}): Promise<Pin[]> {
    const { cid } = query;
    return this.#context.records.pins(
      cid === undefined ? query : { ...query, cid: parseCid(cid).toString() },
    );
  }

  /** The domain as a caller uses it who is told what happens. */
  #telling({ events }: ChangeOptions): ContentContext {
    return events === undefined ? this.#context : { ...this.#context, events };
  }

  gc(options: AbortOptions = {}): Promise<GcResult> {
    return this.#tracked(this.#collecting.run(() => collect(this.#context, this.#until(options))));
  }

  list(query: ListQuery = {}): Promise<{ readonly records: ContentRecord[]; readonly total: number }> {
    return this.#context.records.list(query);
  }

  async record(cid: string): Promise<ContentRecord | undefined> {
    return this.#context.records.record(parseCid(cid).toString());
  }

  async setMedia(cid: string, media: MediaSummary): Promise<void> {
    await this.#context.records.setMedia(parseCid(cid).toString(), media);
  }

  hold(cid: string): ContentHold {
    return this.#context.holds.hold(parseCid(cid));
  }

  contentTypeOf(ref: string, options: AbortOptions & { readonly name?: string } = {}): Promise<string> {
    return typeOf(this.#context, ref, options);
  }

  async isLocal(text: string): Promise<boolean> {
    const cid = parseCid(text);
    return cid.multihash.code === IDENTITY || this.blocks.has(cid);
  }

  path(ref: string, options: PathOptions = {}): Promise<ResolvedPath> {
    return resolvePath(this.#context, ref, options);
  }

  async block(text: string, options: AbortOptions = {}): Promise<Uint8Array> {
    return blockOf(this.blocks, parseCid(text), { ...options, root: text });
  }

  dag(ref: string, selection: DagSelection = {}): Promise<DagExport> {
    return exportDag(this.#context, ref, selection);
  }

  importCar(source: AsyncIterable<Uint8Array>, options: ImportCarOptions = {}): Promise<CarImport> {
    return this.#tracked(importCar(this.#telling(options), source, this.#until(options)));
  }

  write(bytes: Uint8Array, options: AbortOptions = {}): Promise<string> {
    return this.#tracked(writeFile(this.#context, bytes, this.#until(options)));
  }

  guard(): BlockGuard {
    return this.#context.store.guard();
  }

  keeping<T>(work: () => Promise<T>): Promise<T> {
    return this.#tracked(this.#collecting.run(work));
  }

  exportPinned(write: (block: DagBlock) => Promise<void>, options: AbortOptions = {}): Promise<void> {
    return exportPinned(this.#context, write, this.#until(options));
  }

  usage(): Promise<{ readonly blocks: number; readonly bytes: number }> {
    return this.#context.store.usage();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new CidcastError("SHUTTING_DOWN", "The node is stopping"));
    await Promise.allSettled(this.#adds);
    await this.#context.store.close();
  }

  /** The options, ended by the end of the node too. */
  #until<T extends AbortOptions>(options: T): T {
    return { ...options, signal: anySignal(options.signal, this.#stopping.signal) };
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#adds.delete(tracked));
    this.#adds.add(tracked);
    return tracked;
  }
}
