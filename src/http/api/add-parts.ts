import type { Readable } from "node:stream";
import { type AddedContent, type AddResult, entryPath, nameText } from "@cidcast/protocols/node-api";
import type { AddOptions, ContentRecord, DirectoryEntrySource } from "../../content/index.ts";
import type { OwnedContent } from "../../tenancy/index.ts";
import { CidcastError, raceSignal } from "../../core/index.ts";
import { bodyChunks, fromBodyError, tooLarge } from "../routing/body.ts";
import { parse } from "../routing/route.ts";

/** A part of a form, as the parser hands it out: files have a stream that must be read before the next part comes. */
export type FormPart =
  | { readonly type: "field" }
  | {
      readonly type: "file";
      readonly filename: string | undefined;
      readonly mimetype: string;
      readonly file: Readable & { readonly truncated?: boolean };
    };
type FilePart = Extract<FormPart, { type: "file" }>;

interface PartsInit {
  readonly content: OwnedContent;
  readonly options: AddOptions & { readonly signal: AbortSignal };
  readonly parts: AsyncIterator<FormPart>;
  /** All files become one directory, whatever their names. */
  readonly directory: boolean;
  /** Most bytes of all files together. */
  readonly maxBytes: number;
}

/** Adds the files of a form: one file, several, or a directory (see the specification of the node API, Upload). */
export async function addParts(init: PartsInit): Promise<AddResult> {
  const { content, options } = init;
  const reader = new PartReader(init);
  const first = await reader.next();
  if (first === undefined) throw new CidcastError("INVALID_REQUEST", "The form holds no file");
  if (init.directory) {
    return addedBody(await content.addDirectory(entriesOf(reader, first, ""), options));
  }
  const [root = "", ...below] = (first.filename ?? "").split("/");
  if (below.length > 0) {
    const name = options.name ?? parse(nameText.min(1), root, "filename");
    return addedBody(await content.addDirectory(entriesOf(reader, first, `${root}/`), { ...options, name }));
  }
  return addFiles(init, reader, first);
}

async function addFiles(
  { content, options }: PartsInit,
  reader: PartReader,
  first: FilePart,
): Promise<AddResult> {
  const files: AddedContent[] = [];
  for (let part: FilePart | undefined = first; part !== undefined; part = await reader.next()) {
    const filename = part.filename ?? "";
    if (filename.includes("/")) {
      throw new CidcastError(
        "INVALID_REQUEST",
        `filename: ${filename} is a path, but the first file's name was none`,
      );
    }
    // `name` names one thing: with several files only the first can have it.
    const given = files.length === 0 ? options.name : undefined;
    const name = given ?? (filename === "" ? undefined : parse(nameText, filename, "filename"));
    const { name: _first, ...rest } = options;
    const record = await content.add(reader.chunks(part), {
      ...rest,
      ...(name !== undefined && { name }),
      ...(part.mimetype !== "application/octet-stream" && { contentType: part.mimetype }),
    });
    files.push(addedBody(record));
  }
  const [head] = files;
  if (head === undefined) throw new CidcastError("INVALID_REQUEST", "The form holds no file");
  return files.length === 1 ? head : { ...head, files };
}

async function* entriesOf(
  reader: PartReader,
  first: FilePart,
  prefix: string,
): AsyncGenerator<DirectoryEntrySource> {
  for (let part: FilePart | undefined = first; part !== undefined; part = await reader.next()) {
    const filename = part.filename ?? "";
    if (!filename.startsWith(prefix)) {
      throw new CidcastError("INVALID_REQUEST", `filename: ${filename} does not lie in ${prefix}`);
    }
    const path = parse(entryPath, filename.slice(prefix.length), "filename");
    yield { path, content: reader.chunks(part) };
  }
}

/** Walks the files of a form; bytes are counted over all of them. */
class PartReader {
  readonly #init: PartsInit;
  #leftBytes: number;

  constructor(init: PartsInit) {
    this.#init = init;
    this.#leftBytes = init.maxBytes;
  }

  async next(): Promise<FilePart | undefined> {
    for (;;) {
      const part = await this.#step();
      if (part.done === true) return undefined;
      if (part.value.type === "file") return part.value;
    }
  }

  async #step(): Promise<IteratorResult<FormPart>> {
    try {
      return await raceSignal(this.#init.parts.next(), this.#init.options.signal);
    } catch (error) {
      throw fromBodyError(error);
    }
  }

  async *chunks(part: FilePart): AsyncGenerator<Uint8Array> {
    const { signal } = this.#init.options;
    for await (const chunk of bodyChunks(part.file, { signal, maxBytes: this.#init.maxBytes })) {
      this.#leftBytes -= chunk.length;
      if (this.#leftBytes < 0) throw tooLarge(this.#init.maxBytes);
      yield chunk;
    }
    if (part.file.truncated === true) throw tooLarge(this.#init.maxBytes);
  }
}

/** A record as the answer of an add. */
export function addedBody({ cid, name, size, contentType }: ContentRecord): AddedContent {
  return { cid, ...(name !== undefined && { name }), size, contentType };
}
