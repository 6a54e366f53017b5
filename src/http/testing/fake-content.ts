import { createHash } from "node:crypto";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { create as createDigest } from "multiformats/hashes/digest";
import type {
  AddOptions,
  Content,
  ContentFile,
  ContentRecord,
  DirectoryEntry,
  Pin,
} from "../../content/index.ts";
import { CidcastError } from "../../core/index.ts";

/** Multihash code of SHA2-256. */
const SHA2_256 = 0x12;
/** Bytes of one chunk of a stream. */
const CHUNK_BYTES = 64 * 1024;

type Node =
  | { readonly type: "file"; readonly bytes: Uint8Array }
  | { readonly type: "directory"; readonly entries: ReadonlyMap<string, string> };

/** Content kept in memory, for tests of the doors. Counts what is open, so that a test sees what was not let go. */
export class FakeContent implements Content {
  readonly nodes = new Map<string, Node>();
  readonly records = new Map<string, ContentRecord>();
  readonly pinned = new Map<string, Pin>();
  /** Refs that are asked for and never found: the wait ends with the caller's signal. */
  readonly searching = new Set<string>();
  openFiles = 0;
  holds = 0;
  streamedBytes = 0;
  /** Called with each chunk that an add takes. */
  onChunk: () => void = () => undefined;
  /** Called with each add that ended in an error. */
  onAddFailed: (error: unknown) => void = () => undefined;

  put(node: Node): string {
    const bytes =
      node.type === "file" ? node.bytes : Buffer.from(JSON.stringify([...node.entries.entries()]));
    const digest = createDigest(SHA2_256, createHash("sha256").update(bytes).digest());
    const cid = CID.createV1(raw.code, digest).toString();
    this.nodes.set(cid, node);
    return cid;
  }

  putFile(text: string | Uint8Array, record?: Partial<ContentRecord>): string {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    const cid = this.put({ type: "file", bytes });
    if (record !== undefined) this.#record(cid, bytes.length, record);
    return cid;
  }

  async add(source: AsyncIterable<Uint8Array>, options: AddOptions = {}): Promise<ContentRecord> {
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of source) {
        options.signal?.throwIfAborted();
        chunks.push(chunk);
        this.onChunk();
      }
      const bytes = Buffer.concat(chunks);
      return this.#keep(this.put({ type: "file", bytes }), bytes.length, options);
    } catch (error) {
      this.onAddFailed(error);
      throw error;
    }
  }

  async addDirectory(
    entries: Parameters<Content["addDirectory"]>[0],
    options: AddOptions = {},
  ): Promise<ContentRecord> {
    const tree: Tree = new Map();
    let size = 0;
    for await (const { path, content } of entries) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      size += bytes.length;
      insert(tree, path.split("/"), this.put({ type: "file", bytes }));
    }
    return this.#keep(this.#putTree(tree), size, { ...options, contentType: "inode/directory" });
  }

  async resolve(ref: string, options: { signal?: AbortSignal | undefined } = {}) {
    const [cid = "", ...path] = ref.replace(/^\/?ipfs\//, "").split("/");
    let at = await this.#find(cid, options.signal);
    let found = cid;
    for (const name of path.filter(part => part !== "")) {
      const next = at.type === "directory" ? at.entries.get(name) : undefined;
      if (next === undefined) throw new CidcastError("PATH_NOT_FOUND", `${ref} has no ${name}`);
      found = next;
      at = await this.#find(next, options.signal);
    }
    return { cid: found, type: at.type };
  }

  async open(ref: string, options: { signal?: AbortSignal | undefined } = {}): Promise<ContentFile> {
    const { cid } = await this.resolve(ref, options);
    const bytes = this.#bytes(cid);
    this.openFiles += 1;
    let open = true;
    const close = async (): Promise<void> => {
      if (open) this.openFiles -= 1;
      open = false;
    };
    const count = (length: number): void => {
      this.streamedBytes += length;
    };
    return {
      cid,
      size: bytes.length,
      read: async (start, end) => bytes.subarray(start, end),
      async *stream({ start = 0, end = bytes.length, signal } = {}) {
        for (let at = start; at < end; at += CHUNK_BYTES) {
          signal?.throwIfAborted();
          const chunk = bytes.subarray(at, Math.min(end, at + CHUNK_BYTES));
          count(chunk.length);
          yield chunk;
        }
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  async *cat(ref: string, options: Parameters<Content["cat"]>[1] = {}): AsyncGenerator<Uint8Array> {
    const file = await this.open(ref, options);
    try {
      yield* file.stream(options);
    } finally {
      await file.close();
    }
  }

  async *ls(ref: string): AsyncGenerator<DirectoryEntry> {
    const node = await this.#find((await this.resolve(ref)).cid, undefined);
    if (node.type === "file") throw new CidcastError("NOT_A_DIRECTORY", `${ref} is a file`);
    for (const [name, cid] of node.entries) {
      const child = await this.#find(cid, undefined);
      yield { name, cid, type: child.type, size: child.type === "file" ? child.bytes.length : undefined };
    }
  }

  async stat(ref: string, options: { signal?: AbortSignal | undefined } = {}) {
    const { cid, type } = await this.resolve(ref, options);
    const size = type === "file" ? this.#bytes(cid).length : 0;
    return { cid, type, size, localBlocks: 1, complete: true };
  }

  async remove(cid: string): Promise<void> {
    if (!this.records.delete(cid)) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} was not added here`);
  }

  async pin(cid: string, options: { readonly name?: string } = {}): Promise<Pin> {
    await this.resolve(cid);
    const pin = { cid, name: options.name ?? "", pinnedAtMs: 1 };
    this.pinned.set(`${cid} ${pin.name}`, pin);
    return pin;
  }

  async unpin(cid: string, options: { readonly name?: string } = {}): Promise<void> {
    if (!this.pinned.delete(`${cid} ${options.name ?? ""}`)) {
      throw new CidcastError("PIN_NOT_FOUND", `${cid} is not pinned under that name`);
    }
  }

  async pins(): Promise<Pin[]> {
    return [...this.pinned.values()];
  }

  async gc() {
    return { removedBlocks: 0, freedBytes: 0 };
  }

  async list({ search = "", limit = 100, offset = 0 }: Parameters<Content["list"]>[0] = {}) {
    const all = [...this.records.values()].filter(
      record => record.name?.includes(search) === true || record.cid.startsWith(search),
    );
    return { records: all.slice(offset, offset + limit), total: all.length };
  }

  async record(cid: string): Promise<ContentRecord | undefined> {
    return this.records.get(cid);
  }

  async isLocal(cid: string): Promise<boolean> {
    return this.nodes.has(cid);
  }

  async path(ref: string, options: { signal?: AbortSignal | undefined } = {}) {
    const names = ref.split("/");
    const roots: CID[] = [];
    for (let length = 1; length <= names.length; length++) {
      const { cid } = await this.resolve(names.slice(0, length).join("/"), options);
      roots.push(CID.parse(cid));
    }
    return { end: roots.at(-1) ?? CID.parse(""), roots, path: roots.slice(0, -1) };
  }

  async block(): Promise<Uint8Array> {
    throw new Error("not part of this fake");
  }

  async dag(): ReturnType<Content["dag"]> {
    throw new Error("not part of this fake");
  }

  async importCar(): ReturnType<Content["importCar"]> {
    throw new Error("not part of this fake");
  }

  async setMedia(): Promise<void> {
    throw new Error("not part of this fake");
  }

  hold(cid: string) {
    this.holds += 1;
    let held = true;
    const release = (): void => {
      if (held) this.holds -= 1;
      held = false;
    };
    return { cid, release, [Symbol.dispose]: release };
  }

  async contentTypeOf(_ref: string, options: { readonly name?: string } = {}): Promise<string> {
    if (options.name?.endsWith(".html") === true) return "text/html";
    return "application/octet-stream";
  }

  async #find(cid: string, signal: AbortSignal | undefined): Promise<Node> {
    try {
      CID.parse(cid);
    } catch (cause) {
      throw new CidcastError("INVALID_CID", `${cid} is not a CID`, { cause });
    }
    if (this.searching.has(cid)) {
      const { promise, reject } = Promise.withResolvers<never>();
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      return promise;
    }
    const node = this.nodes.get(cid);
    if (node === undefined) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} is not here`);
    return node;
  }

  #bytes(cid: string): Uint8Array {
    const node = this.nodes.get(cid);
    if (node?.type !== "file") throw new CidcastError("NOT_A_FILE", `${cid} is a directory`);
    return node.bytes;
  }

  #keep(cid: string, size: number, options: AddOptions): ContentRecord {
    if (options.pin !== false) this.pinned.set(cid, { cid, name: options.pin ?? "", pinnedAtMs: 1 });
    return this.#record(cid, size, {
      ...(options.name !== undefined && { name: options.name }),
      ...(options.contentType !== undefined && { contentType: options.contentType }),
    });
  }

  #record(cid: string, size: number, given: Partial<ContentRecord>): ContentRecord {
    const record: ContentRecord = {
      cid,
      size,
      name: undefined,
      contentType: "application/octet-stream",
      addedAtMs: 1,
      media: undefined,
      ...given,
    };
    this.records.set(cid, record);
    return record;
  }

  #putTree(tree: Tree): string {
    const entries = new Map<string, string>();
    for (const [name, child] of tree)
      entries.set(name, typeof child === "string" ? child : this.#putTree(child));
    return this.put({ type: "directory", entries });
  }
}

type Tree = Map<string, string | Tree>;

function insert(tree: Tree, [name = "", ...rest]: readonly string[], cid: string): void {
  if (rest.length === 0) {
    tree.set(name, cid);
    return;
  }
  const below = tree.get(name);
  const next: Tree = below instanceof Map ? below : new Map();
  tree.set(name, next);
  insert(next, rest, cid);
}
