import { CID } from "multiformats/cid";
import { CidcastError } from "../../core/index.ts";
import { CAR_MAX_HEADER_BYTES, MAX_BLOCK_BYTES } from "../limits.ts";
import { type DagBlock, parseCarHeader } from "./codec.ts";

/** Longest binary CID in a CAR, bytes: identity CIDs carry their content. */
const MAX_CID_BYTES = 4096;
/** Longest varint of a length, bytes. */
const MAX_VARINT_BYTES = 5;
/** Fixed part of a CAR of version 2, bytes: characteristics, then offset and size of the blocks, offset of the index. */
const V2_FIELDS_BYTES = 40;

/** An open CAR. */
export interface CarStream {
  readonly roots: readonly CID[];
  /** The blocks in their order, not verified. Ends with `INVALID_CAR` where the file is torn. */
  readonly blocks: AsyncGenerator<DagBlock>;
}

/**
 * Reads a CAR of version 1 or 2 as it comes. Holds one block at a time; a length beyond the limits ends it before a byte of
 * that length is kept. An index at the end of a version 2 is passed over.
 */
export async function readCar(source: AsyncIterable<Uint8Array>): Promise<CarStream> {
  const input = new ByteQueue(source);
  try {
    let header = parseCarHeader(await section(input, CAR_MAX_HEADER_BYTES));
    let leftBytes: number | undefined;
    if (header.version === 2) {
      const fields = await input.take(V2_FIELDS_BYTES);
      const view = new DataView(fields.buffer, fields.byteOffset, fields.byteLength);
      const offset = Number(view.getBigUint64(16, true));
      leftBytes = Number(view.getBigUint64(24, true));
      await input.skip(offset - input.consumed);
      const start = input.consumed;
      header = parseCarHeader(await section(input, CAR_MAX_HEADER_BYTES));
      if (header.version !== 1)
        throw new CidcastError("INVALID_CAR", "A CAR of version 2 holds one of version 1");
      leftBytes -= input.consumed - start;
    }
    return { roots: header.roots, blocks: blocksOf(input, leftBytes) };
  } catch (error) {
    await input.close();
    throw error;
  }
}

async function* blocksOf(input: ByteQueue, limitBytes: number | undefined): AsyncGenerator<DagBlock> {
  const end = limitBytes === undefined ? Number.POSITIVE_INFINITY : input.consumed + limitBytes;
  try {
    while (input.consumed < end && !(await input.atEnd())) {
      const bytes = await section(input, MAX_BLOCK_BYTES + MAX_CID_BYTES);
      yield blockOf(bytes);
    }
  } finally {
    await input.close();
  }
}

function blockOf(section: Uint8Array): DagBlock {
  let decoded: [CID, Uint8Array];
  try {
    decoded = CID.decodeFirst(section);
  } catch (cause) {
    throw new CidcastError("INVALID_CAR", "A block of the CAR has no CID", { cause });
  }
  const [cid, bytes] = decoded;
  if (bytes.byteLength > MAX_BLOCK_BYTES) {
    throw new CidcastError("INVALID_CAR", `A block of the CAR is larger than ${MAX_BLOCK_BYTES} bytes`);
  }
  return { cid, bytes };
}

async function section(input: ByteQueue, maxBytes: number): Promise<Uint8Array> {
  let length = 0;
  for (let i = 0; ; i++) {
    const byte = (await input.take(1))[0] ?? 0;
    if (i >= MAX_VARINT_BYTES) throw new CidcastError("INVALID_CAR", "A length in the CAR is too long");
    length += (byte & 127) * 128 ** i;
    if (byte < 128) break;
  }
  if (length === 0 || length > maxBytes) {
    throw new CidcastError(
      "INVALID_CAR",
      `A part of the CAR has ${length} bytes; at most ${maxBytes} are read`,
    );
  }
  return input.take(length);
}

/** Bytes taken from chunks in pieces of another size. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #current: Uint8Array = new Uint8Array(0);
  #ended = false;
  consumed = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  async atEnd(): Promise<boolean> {
    while (this.#current.byteLength === 0 && !this.#ended) await this.#pull();
    return this.#current.byteLength === 0;
  }

  /** The next bytes, as many as told, in a buffer of their own. */
  async take(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (await this.atEnd()) throw new CidcastError("INVALID_CAR", "The CAR ends in the middle of a part");
      const piece = this.#current.subarray(0, length - at);
      bytes.set(piece, at);
      this.#current = this.#current.subarray(piece.byteLength);
      at += piece.byteLength;
    }
    this.consumed += length;
    return bytes;
  }

  async skip(length: number): Promise<void> {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new CidcastError("INVALID_CAR", "The CAR's blocks begin before its header ends");
    }
    let left = length;
    while (left > 0) {
      if (await this.atEnd()) throw new CidcastError("INVALID_CAR", "The CAR ends before its blocks");
      const piece = Math.min(left, this.#current.byteLength);
      this.#current = this.#current.subarray(piece);
      left -= piece;
    }
    this.consumed += length;
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#chunks.return?.();
  }

  async #pull(): Promise<void> {
    const step = await this.#chunks.next();
    if (step.done === true) this.#ended = true;
    else this.#current = step.value;
  }
}
