import { CidcastError } from "../../core/index.ts";
import { abortable } from "../add/abortable.ts";
import { BlockSink } from "../add/block-sink.ts";
import { DIRECTORY_TYPE, sniff } from "../add/content-type.ts";
import { buildDirectory } from "../add/directory-builder.ts";
import { DirectoryTree } from "../add/directory-tree.ts";
import { buildFile, type BuiltNode } from "../add/file-builder.ts";
import { checkName } from "../dag/cid.ts";
import { SNIFF_BYTES } from "../limits.ts";
import type { AddOptions, ContentRecord, DirectoryEntrySource } from "../types.ts";
import type { ContentContext } from "./context.ts";
import { checkPinName } from "./pin-name.ts";
import { checkRoom } from "./room.ts";

interface Made {
  readonly root: BuiltNode;
  readonly contentType: string;
}

/** Takes in content, a limited number at a time. */
export class Adder {
  readonly #context: ContentContext;
  #running = 0;

  constructor(context: ContentContext) {
    this.#context = context;
  }

  addFile(source: AsyncIterable<Uint8Array>, options: AddOptions): Promise<ContentRecord> {
    return this.#run(options, async sink => {
      let head: Uint8Array = new Uint8Array(0);
      const root = await buildFile(abortable(source, options), sink, {
        signal: options.signal,
        onChunk: (chunk, bytes) => {
          if (bytes === chunk.byteLength) head = chunk.slice(0, SNIFF_BYTES);
          options.onProgress?.({ bytes, totalBytes: options.totalBytes });
        },
      });
      const contentType = await sniff(head, { name: options.name, contentType: options.contentType });
      return { root, contentType };
    });
  }

  addDirectory(entries: AsyncIterable<DirectoryEntrySource>, options: AddOptions): Promise<ContentRecord> {
    return this.#run(options, async sink => {
      const tree = new DirectoryTree();
      let files = 0;
      let done = 0;
      for await (const { path, content } of abortable(entries, options)) {
        files++;
        if (files > this.#context.limits.maxDirectoryFiles) {
          this.#context.metrics.limitsHit.add(1, { limit: "directory_files" });
          const most = this.#context.limits.maxDirectoryFiles;
          throw new CidcastError("LIMIT_REACHED", `A directory is added with at most ${most} files`);
        }
        tree.reserve(path);
        const before = done;
        const node = await buildFile(abortable(content, options), sink, {
          signal: options.signal,
          onChunk: (_, bytes) => {
            done = before + bytes;
            options.onProgress?.({ bytes: done, totalBytes: options.totalBytes });
          },
        });
        tree.set(path, node);
      }
      return { root: await buildDirectory(tree, sink), contentType: DIRECTORY_TYPE };
    });
  }

  async #run(options: AddOptions, make: (sink: BlockSink) => Promise<Made>): Promise<ContentRecord> {
    const { store, metrics, limits } = this.#context;
    options.signal?.throwIfAborted();
    if (options.name !== undefined) checkName(options.name);
    if (typeof options.pin === "string") checkPinName(options.pin);
    if (this.#running >= limits.maxConcurrentAdds) {
      metrics.limitsHit.add(1, { limit: "concurrent_adds" });
      throw new CidcastError("BUSY", `${this.#running} adds are under way`, { retryAfterSeconds: 1 });
    }
    this.#running++;
    // Until the record is written nothing but the guard keeps the blocks from a collection.
    using _guard = store.guard();
    const sink = new BlockSink(store, metrics);
    try {
      await checkRoom(this.#context, options.totalBytes);
      const { root, contentType } = await make(sink);
      await sink.flush();
      options.signal?.throwIfAborted();
      const record = await this.#save(root, contentType, options);
      metrics.adds.add(1, { result: "ok" });
      metrics.bytesAdded.add(root.fileSize);
      return record;
    } catch (error) {
      metrics.adds.add(1, { result: "failed" });
      await sink.settle();
      throw error;
    } finally {
      this.#running--;
    }
  }

  async #save(root: BuiltNode, contentType: string, options: AddOptions): Promise<ContentRecord> {
    const { records, clock, denylist } = this.#context;
    denylist.check(root.cid);
    const events = options.events ?? this.#context.events;
    const cid = root.cid.toString();
    const pin = options.pin === false ? undefined : (options.pin ?? "");
    const { record, added, pinned } = await records.save({
      record: { cid, name: options.name, size: root.fileSize, contentType, addedAtMs: clock.now() },
      pin,
    });
    if (added) {
      const { name, size } = record;
      events.publish("content_added", { cid, name, size, contentType: record.contentType });
    }
    if (pinned && pin !== undefined) events.publish("pin_added", { cid, name: pin });
    return record;
  }
}
