import { CidcastError } from "../../core/index.ts";

/** Kinds of UnixFS nodes. @see https://specs.ipfs.tech/unixfs/#data-field */
export const KINDS = ["raw", "directory", "file", "metadata", "symlink", "hamt"] as const;
export type UnixFsKind = (typeof KINDS)[number];

/** The `Data` of a UnixFS node. */
export interface UnixFsData {
  readonly kind: UnixFsKind;
  readonly data: Uint8Array;
  readonly fileSize: number | undefined;
  readonly blockSizes: readonly number[];
  readonly hashType: number | undefined;
  readonly fanout: number | undefined;
}

const EMPTY = new Uint8Array(0);

/** Reads protobuf fields one after the other. Whatever is not whole is `CORRUPT_DAG`. */
class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.byteLength;
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw corrupt("ends inside a number");
      value += (byte & 127) * 128 ** i;
      if (byte < 128) return value;
    }
    throw corrupt("holds a number that is too long");
  }

  bytes(): Uint8Array {
    const length = this.varint();
    const end = this.#at + length;
    if (end > this.#bytes.byteLength) throw corrupt("ends inside a field");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#at += 8;
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#at += 4;
    else throw corrupt("holds a field of unknown kind");
    if (this.#at > this.#bytes.byteLength) throw corrupt("ends inside a field");
  }
}

function corrupt(what: string): CidcastError {
  return new CidcastError("CORRUPT_DAG", `The UnixFS node ${what}`);
}

function size(value: number): number {
  if (!Number.isSafeInteger(value)) throw corrupt("names a size that is too large");
  return value;
}

/** Decodes the `Data` of a UnixFS node. `CORRUPT_DAG` when it is not one. */
export function decodeUnixFs(bytes: Uint8Array): UnixFsData {
  const reader = new FieldReader(bytes);
  const blockSizes: number[] = [];
  let kind: UnixFsKind | undefined;
  let data: Uint8Array = EMPTY;
  let fileSize: number | undefined;
  let hashType: number | undefined;
  let fanout: number | undefined;
  while (!reader.done) {
    const tag = reader.varint();
    switch (tag) {
      case 0x08:
        kind = KINDS[reader.varint()];
        if (kind === undefined) throw corrupt("is of unknown type");
        break;
      case 0x12:
        data = reader.bytes();
        break;
      case 0x18:
        fileSize = size(reader.varint());
        break;
      case 0x20:
        blockSizes.push(size(reader.varint()));
        break;
      case 0x22: {
        // The same numbers packed, as some writers do.
        const packed = new FieldReader(reader.bytes());
        while (!packed.done) blockSizes.push(size(packed.varint()));
        break;
      }
      case 0x28:
        hashType = reader.varint();
        break;
      case 0x30:
        fanout = reader.varint();
        break;
      default:
        reader.skip(tag & 7);
    }
  }
  if (kind === undefined) throw corrupt("has no type");
  return { kind, data, fileSize, blockSizes, hashType, fanout };
}

function pushVarint(out: number[], value: number): void {
  let rest = value;
  while (rest > 127) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** The `Data` of an inner node of a file, as Kubo writes it. */
export function encodeFileData(fileSize: number, blockSizes: readonly number[]): Uint8Array {
  const out = [0x08, KINDS.indexOf("file"), 0x18];
  pushVarint(out, fileSize);
  for (const blockSize of blockSizes) {
    out.push(0x20);
    pushVarint(out, blockSize);
  }
  return Uint8Array.from(out);
}

/** The `Data` of a directory in one block. */
export function encodeDirectoryData(): Uint8Array {
  return Uint8Array.from([0x08, KINDS.indexOf("directory")]);
}

/** The `Data` of a shard of a large directory. */
export function encodeShardData(bitfield: Uint8Array, hashType: number, fanout: number): Uint8Array {
  const out = [0x08, KINDS.indexOf("hamt"), 0x12];
  pushVarint(out, bitfield.byteLength);
  out.push(...bitfield, 0x28);
  pushVarint(out, hashType);
  out.push(0x30);
  pushVarint(out, fanout);
  return Uint8Array.from(out);
}
