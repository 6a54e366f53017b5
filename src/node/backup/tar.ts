import { CidcastError } from "../../core/index.ts";

/** The blocks that a tar file consists of, bytes. @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html */
const BLOCK = 512;
/** Longest path that a plain header holds, bytes. */
const MAX_PLAIN_PATH = 100;
/** Largest size that a plain header holds, bytes: 11 octal digits. */
const MAX_PLAIN_SIZE = 8 ** 11 - 1;
/** Longest extended header that is read, bytes. */
const MAX_EXTENDED_BYTES = 64 * 1024;
/** What a tar file ends with. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** A file in a tar file. */
export interface TarEntry {
  readonly path: string;
  readonly size: number;
  /** To be read to its end before the next entry. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** What stands before a file of that path and size. Only its owner may read it once it is unpacked. */
export function tarHeader(path: string, size: number): Buffer {
  const plain = Buffer.byteLength(path) <= MAX_PLAIN_PATH && size <= MAX_PLAIN_SIZE;
  if (plain) return header(path, size, "0");
  const records = Buffer.concat([record("path", path), record("size", String(size))]);
  return Buffer.concat([
    header("extended", records.byteLength, "x"),
    records,
    padding(records.byteLength),
    header("file", Math.min(size, MAX_PLAIN_SIZE), "0"),
  ]);
}

/** What stands after a file of that size. */
export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

function header(path: string, size: number, type: "0" | "x"): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (text: string, at: number): void => void block.write(text, at, "utf8");
  put(path, 0);
  put("0000600\0", 100);
  put("0000000\0", 108);
  put("0000000\0", 116);
  put(`${size.toString(8).padStart(11, "0")}\0`, 124);
  put("00000000000\0", 136);
  put("        ", 148);
  put(type, 156);
  put("ustar\0", 257);
  put("00", 263);
  put(`${checksum(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function checksum(block: Buffer): number {
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  return sum;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length + rest !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** Reads a tar file of plain files. `INVALID_REQUEST` when it is none, or ends too early. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const bytes = new ByteSource(source);
  let extended: { readonly path?: string | undefined; readonly size?: number | undefined } = {};
  for (;;) {
    const block = await bytes.exactly(BLOCK);
    if (block.every(byte => byte === 0)) return;
    const { path, size, type } = parseHeader(block);
    if (type === "x") {
      if (size > MAX_EXTENDED_BYTES) throw notOurs("its extended header is too long");
      extended = parseRecords((await bytes.exactly(size)).toString("utf8"));
      await bytes.exactly(padding(size).byteLength);
      continue;
    }
    const entry = { path: extended.path ?? path, size: extended.size ?? size };
    extended = {};
    let read = false;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield* bytes.upTo(entry.size);
      await bytes.exactly(padding(entry.size).byteLength);
      read = true;
    };
    yield { ...entry, body: body() };
    if (!read) throw notOurs("a file was not read to its end");
  }
}

function parseHeader(block: Buffer): { path: string; size: number; type: string } {
  const text = (at: number, length: number): string =>
    block.toString("utf8", at, at + length).split("\0", 1)[0] ?? "";
  if (Number.parseInt(text(148, 8), 8) !== checksum(block)) throw notOurs("a header is damaged");
  const type = text(156, 1) || "0";
  const size = Number.parseInt(text(124, 12), 8);
  if ((type !== "0" && type !== "x") || !Number.isSafeInteger(size) || size < 0) {
    throw notOurs("it holds more than plain files");
  }
  return { path: text(0, 100), size, type };
}

function parseRecords(text: string): { path?: string | undefined; size?: number | undefined } {
  const fields = new Map(
    [...text.matchAll(/(\w+)=([^\n]*)\n/g)].map(([, key = "", value = ""]) => [key, value]),
  );
  const size = fields.get("size");
  return { path: fields.get("path"), size: size === undefined ? undefined : Number(size) };
}

function notOurs(why: string): CidcastError {
  return new CidcastError("INVALID_REQUEST", `This is no backup: ${why}`);
}

/** Bytes of a stream, as many as are asked for. */
class ByteSource {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async exactly(count: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.upTo(count)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async *upTo(count: number): AsyncGenerator<Uint8Array> {
    let left = count;
    while (left > 0) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#source.next();
        if (next.done === true) throw notOurs("it ends too early");
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.byteLength);
      left -= piece.byteLength;
      yield piece;
    }
  }
}
