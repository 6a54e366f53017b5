import { crc32 } from "node:zlib";
import { type BlockKeyBytes, KEY_BYTES } from "./block-table.ts";

/** First bytes of an index: its name and version. */
export const INDEX_MAGIC = Buffer.from("cidcast pack 1\n\0", "latin1");

/** key 32, offset 4, length 4, flags 1, reserved 3, checksum 4. */
export const RECORD_BYTES = 48;

const OFFSET_AT = KEY_BYTES;
const LENGTH_AT = OFFSET_AT + 4;
const FLAGS_AT = LENGTH_AT + 4;
const CHECKSUM_AT = RECORD_BYTES - 4;
const FLAG_HASHED = 1;
const FLAG_REMOVED = 2;

/** One line of a pack's index: a block is in the pack, or is removed from it. */
export interface IndexRecord {
  readonly key: BlockKeyBytes;
  /** Where the block's bytes begin in the pack. */
  readonly offset: number;
  readonly length: number;
  readonly removed: boolean;
}

/** The bytes of some records. */
export function encodeRecords(records: readonly IndexRecord[]): Buffer {
  const bytes = Buffer.alloc(records.length * RECORD_BYTES);
  for (const [i, record] of records.entries()) {
    const at = i * RECORD_BYTES;
    bytes.set(record.key.bytes, at);
    bytes.writeUInt32LE(record.offset, at + OFFSET_AT);
    bytes.writeUInt32LE(record.length, at + LENGTH_AT);
    bytes[at + FLAGS_AT] = (record.key.hashed ? FLAG_HASHED : 0) | (record.removed ? FLAG_REMOVED : 0);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + CHECKSUM_AT)), at + CHECKSUM_AT);
  }
  return bytes;
}

/** The records of an index as far as they are whole; a torn or damaged one ends it. */
export function* decodeRecords(bytes: Buffer): Generator<IndexRecord> {
  if (!bytes.subarray(0, INDEX_MAGIC.length).equals(INDEX_MAGIC)) return;
  for (let at = INDEX_MAGIC.length; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    if (crc32(bytes.subarray(at, at + CHECKSUM_AT)) !== bytes.readUInt32LE(at + CHECKSUM_AT)) return;
    const flags = bytes[at + FLAGS_AT] ?? 0;
    yield {
      key: { bytes: bytes.subarray(at, at + KEY_BYTES), hashed: (flags & FLAG_HASHED) !== 0 },
      offset: bytes.readUInt32LE(at + OFFSET_AT),
      length: bytes.readUInt32LE(at + LENGTH_AT),
      removed: (flags & FLAG_REMOVED) !== 0,
    };
  }
}
