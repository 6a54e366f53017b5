import type { ListSort } from "@cidcast/protocols/node-api";
import type { CID } from "multiformats/cid";
import type { AbortOptions, EventPublisher } from "../core/index.ts";
import type { DagBlock } from "./car/codec.ts";
import type { DagSelection } from "./car/select.ts";

/** Content as the rest of the node sees it. CIDs are text in canonical form (`bafy…`, `bafk…`, `Qm…`). */

/** What a probe found out about a media file, as kept in the record. Written by the media layer, opaque here. */
export type MediaSummary = Readonly<Record<string, unknown>>;

/** One thing the node's owner has added or fetched. */
export interface ContentRecord {
  readonly cid: string;
  /** File or directory name, where one was given. */
  readonly name: string | undefined;
  /** Bytes of file content. */
  readonly size: number;
  /** Sniffed from the first bytes, then from the name: `video/mp4`; `inode/directory` for a directory. */
  readonly contentType: string;
  /** Wall clock, milliseconds since 1970. */
  readonly addedAtMs: number;
  readonly media: MediaSummary | undefined;
}

/** Progress of an add, in bytes of file content. */
export interface AddProgress {
  readonly bytes: number;
  /** Where known beforehand. */
  readonly totalBytes: number | undefined;
}

/** Options of verbs that change something. */
export interface ChangeOptions extends AbortOptions {
  /** Who is told what happens, in place of the node: for callers who tell it in their own way. */
  readonly events?: EventPublisher<ContentEvents> | undefined;
}

export interface AddOptions extends ChangeOptions {
  readonly name?: string;
  /** Content type given by the sender: used only when sniffing finds nothing. */
  readonly contentType?: string;
  /** Size in bytes where known beforehand: for progress and the disk-space check. */
  readonly totalBytes?: number;
  /** Pin recursively under this name; default: pinned under `""`. `false`: not pinned, so GC may take it. */
  readonly pin?: string | false;
  readonly onProgress?: (progress: AddProgress) => void;
}

/** A file of a directory that is being added. */
export interface DirectoryEntrySource {
  /** Path inside the directory, `/` between names, no `..`. */
  readonly path: string;
  readonly content: AsyncIterable<Uint8Array>;
}

export interface RangeOptions extends AbortOptions {
  /** First byte; default 0. */
  readonly start?: number;
  /** First byte that is not wanted; default the end. */
  readonly end?: number;
}

/** Where a block came from. */
export type BlockOrigin = "local" | "network";

/** An open file. Reads are verified block by block: a byte that was not hashed never comes out. */
export interface ContentFile extends AsyncDisposable {
  readonly cid: string;
  readonly size: number;
  /** Bytes [start, end), in one buffer. The reader keeps a warm place per file, so nearby reads cost no walk. */
  read(start: number, end: number, options?: AbortOptions): Promise<Uint8Array>;
  /** Bytes in order, with read-ahead that grows with consumption. */
  stream(options?: RangeOptions): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly cid: string;
  readonly type: "file" | "directory";
  /** Bytes of file content; for directories the sum where it is known without fetching, else undefined. */
  readonly size: number | undefined;
}

export interface ContentStat {
  readonly cid: string;
  readonly type: "file" | "directory";
  readonly size: number;
  /** Blocks of the DAG that are here. */
  readonly localBlocks: number;
  /** True when the whole DAG is here. */
  readonly complete: boolean;
}

/** Which pins; all without. */
export interface PinQuery {
  readonly cid?: string;
  /** How their names begin. */
  readonly namePrefix?: string;
}

export interface Pin {
  readonly cid: string;
  readonly name: string;
  readonly pinnedAtMs: number;
}

export interface GcResult {
  readonly removedBlocks: number;
  readonly freedBytes: number;
}

/** Keeps a DAG safe from GC and removal while it is playing or being transferred. */
export interface ContentHold extends Disposable {
  readonly cid: string;
  release(): void;
}

export interface ListQuery {
  /** Substring of the name or prefix of the CID. */
  readonly search?: string;
  /** Default: the newest first. */
  readonly sort?: ListSort;
  readonly limit?: number;
  readonly offset?: number;
}

/** A reference followed to its end, with what is needed to verify that. */
export interface ResolvedPath {
  /** What the reference leads to. */
  readonly end: CID;
  /** The CID of each name on the way: the root first, `end` last. */
  readonly roots: readonly CID[];
  /** Every block on the way, shards of large directories too, without `end`. */
  readonly path: readonly CID[];
}

/** A DAG that is being read. */
export interface DagExport extends ResolvedPath {
  /** Blocks of the path, then those selected below its end, depth first. To be consumed or returned. */
  readonly blocks: AsyncGenerator<DagBlock>;
}

export interface PathOptions extends AbortOptions {
  readonly local?: boolean;
}

export interface ImportCarOptions extends ChangeOptions {
  /** Pin every root under this name; default: under `""`. `false`: not pinned, so GC may take the blocks. */
  readonly pin?: string | false;
  readonly onProgress?: (progress: { readonly blocks: number; readonly bytes: number }) => void;
  /** Size of the CAR where known beforehand: for the disk-space check. */
  readonly totalBytes?: number | undefined;
  /** Every block below a root has to be in the CAR, else `INVALID_CAR`: what is here or elsewhere completes nothing. */
  readonly whole?: boolean;
}

/** What a CAR brought. */
export interface CarImport {
  /** CIDs the CAR names as its roots. */
  readonly roots: readonly string[];
  readonly blocks: number;
  /** Bytes of the blocks. */
  readonly bytes: number;
  /** With `whole`: each root, with the bytes of all blocks below it, each counted once. */
  readonly contents: readonly CarContent[];
}

/** A root that a CAR brought whole. */
export interface CarContent {
  readonly cid: string;
  readonly size: number;
  readonly contentType: string;
}

/** Content as blocks, for who verifies it himself. */
export interface ContentDag {
  /** True when the block of the CID is here; asks no network. */
  isLocal(cid: string): Promise<boolean>;
  /**
   * Follows a path through directories, and through the maps and lists of dag-cbor documents. `PATH_NOT_FOUND`. With
   * `local` no network is asked: what is not here is `CONTENT_NOT_FOUND`.
   */
  path(ref: string, options?: PathOptions): Promise<ResolvedPath>;
  /** One verified block, from here or else from the network. */
  block(cid: string, options?: AbortOptions): Promise<Uint8Array>;
  /** Resolves a reference and reads the blocks that are selected, from here or else from the network. */
  dag(ref: string, selection?: DagSelection): Promise<DagExport>;
  /** Takes in every block of a CAR, each verified, then pins its roots; what a root lacks is fetched first. `INVALID_CAR`. */
  importCar(source: AsyncIterable<Uint8Array>, options?: ImportCarOptions): Promise<CarImport>;
}

/** The content domain. A `ref` is a CID, or a CID and a path: `bafy…/dir/file.mp4`, with or without a leading `/ipfs/`. */
export interface Content extends ContentDag {
  add(source: AsyncIterable<Uint8Array>, options?: AddOptions): Promise<ContentRecord>;
  addDirectory(entries: AsyncIterable<DirectoryEntrySource>, options?: AddOptions): Promise<ContentRecord>;
  /** Resolves a path to the CID and kind at its end. */
  resolve(
    ref: string,
    options?: AbortOptions,
  ): Promise<{ readonly cid: string; readonly type: "file" | "directory" }>;
  open(ref: string, options?: AbortOptions): Promise<ContentFile>;
  cat(ref: string, options?: RangeOptions): AsyncIterable<Uint8Array>;
  ls(ref: string, options?: AbortOptions): AsyncIterable<DirectoryEntry>;
  stat(ref: string, options?: AbortOptions): Promise<ContentStat>;
  /** Takes the record and its pins away; blocks go at the next GC. `CONTENT_IN_USE` while held. */
  remove(cid: string, options?: ChangeOptions): Promise<void>;
  /** Pins recursively: fetches what is missing first. */
  pin(cid: string, options?: ChangeOptions & { readonly name?: string }): Promise<Pin>;
  unpin(cid: string, options?: ChangeOptions & { readonly name?: string }): Promise<void>;
  /** Oldest first. */
  pins(query?: PinQuery): Promise<Pin[]>;
  gc(options?: AbortOptions): Promise<GcResult>;
  list(query?: ListQuery): Promise<{ readonly records: ContentRecord[]; readonly total: number }>;
  record(cid: string): Promise<ContentRecord | undefined>;
  setMedia(cid: string, media: MediaSummary): Promise<void>;
  hold(cid: string): ContentHold;
  /** Content type of a file without a record: sniffed from its first bytes and the name. */
  contentTypeOf(ref: string, options?: AbortOptions & { readonly name?: string }): Promise<string>;
}

/** Events of this domain. */
export interface ContentEvents {
  content_added: {
    readonly cid: string;
    readonly name: string | undefined;
    readonly size: number;
    readonly contentType: string;
  };
  content_retrieved: { readonly cid: string; readonly size: number };
  content_removed: { readonly cid: string };
  pin_added: { readonly cid: string; readonly name: string };
  pin_removed: { readonly cid: string; readonly name: string };
  pin_progress: { readonly cid: string; readonly blocks: number; readonly bytes: number };
  pin_status_changed: { readonly cid: string; readonly status: "pinning" | "pinned" | "failed" | "unpinned" };
}

/** Fetches a block that is not here. The bytes are verified again by the content layer. Joined to `p2p/` in node.ts. */
export interface BlockNetwork {
  /** Rejects with `CONTENT_NOT_FOUND` when no connected peer has it within the budget. `root` names what is being read. */
  fetchBlock(cid: string, options: AbortOptions & { readonly root?: string }): Promise<Uint8Array>;
  /** Tells whether anybody could be asked at all. */
  readonly hasPeers: boolean;
  /** Has a transfer that is under way bring the block here, before all else; true when it is in the store now. Asked first. */
  bring?(cid: string, options: AbortOptions & { readonly root?: string }): Promise<boolean>;
}
