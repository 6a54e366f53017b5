import { readFileSync } from "node:fs";
import type { Content, ContentFile } from "../../content/index.ts";
import { CidcastError } from "../../core/index.ts";

/** Content in memory for tests of this domain: names stand for CIDs. It counts what is open and held. */
export interface MemoryContent extends Pick<Content, "resolve" | "open" | "hold"> {
  set(cid: string, data: Uint8Array): void;
  readonly openFiles: () => number;
  readonly holds: () => number;
  readonly bytesRead: () => number;
  readonly reads: () => number;
  /** Makes every read fail with that, until it is undefined again. */
  failReads(error: Error | undefined): void;
}

export function memoryContent(files: Readonly<Record<string, Uint8Array>> = {}): MemoryContent {
  const byCid = new Map(Object.entries(files));
  let open = 0;
  let holds = 0;
  let bytes = 0;
  let reads = 0;
  let failure: Error | undefined;
  const find = (ref: string): Uint8Array => {
    const data = byCid.get(ref);
    if (data === undefined) throw new CidcastError("CONTENT_NOT_FOUND", `${ref} is not here`);
    return data;
  };
  return {
    set: (cid, data) => byCid.set(cid, data),
    openFiles: () => open,
    holds: () => holds,
    bytesRead: () => bytes,
    reads: () => reads,
    failReads: error => (failure = error),
    async resolve(ref) {
      find(ref);
      return { cid: ref, type: "file" };
    },
    async open(ref) {
      const data = find(ref);
      open += 1;
      let closed = false;
      const close = async (): Promise<void> => {
        if (!closed) open -= 1;
        closed = true;
      };
      const file: ContentFile = {
        cid: ref,
        size: data.length,
        async read(start, end, options) {
          options?.signal?.throwIfAborted();
          if (failure !== undefined) throw failure;
          bytes += end - start;
          reads += 1;
          return data.slice(start, end);
        },
        async *stream(range = {}) {
          yield data.slice(range.start ?? 0, range.end ?? data.length);
        },
        close,
        [Symbol.asyncDispose]: close,
      };
      return file;
    },
    hold(cid) {
      holds += 1;
      let released = false;
      const release = (): void => {
        if (!released) holds -= 1;
        released = true;
      };
      return { cid, release, [Symbol.dispose]: release };
    },
  };
}

/** A committed sample, by file name. */
export function sample(name: string): Uint8Array {
  return readFileSync(new URL(`../../../samples/${name}`, import.meta.url));
}
