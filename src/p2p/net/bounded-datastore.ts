import { MemoryDatastore } from "datastore-core";
import type { Key } from "interface-datastore";
import { MAX_DHT_RECORDS, MAX_DHT_RECORD_BYTES } from "../limits.ts";

/** A record that is larger than any of the DHT has to be. */
class RecordTooLargeError extends Error {
  override readonly name = "RecordTooLargeError";
}

/** Records in memory, a bounded number of a bounded size: the oldest goes first. */
class BoundedDatastore extends MemoryDatastore {
  /** The oldest first. */
  readonly #keys = new Map<string, Key>();

  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    if (value.byteLength > MAX_DHT_RECORD_BYTES) {
      throw new RecordTooLargeError(`A record has at most ${MAX_DHT_RECORD_BYTES} bytes`);
    }
    this.#keys.delete(key.toString());
    this.#keys.set(key.toString(), key);
    const oldest = this.#keys.entries().next().value;
    if (this.#keys.size > MAX_DHT_RECORDS && oldest !== undefined) void this.delete(oldest[1]);
    return super.put(key, value);
  }

  override delete(key: Key): void | Promise<void> {
    this.#keys.delete(key.toString());
    return super.delete(key);
  }
}

/** Where a DHT keeps what others put into it. */
export function createDhtDatastore(): MemoryDatastore {
  return new BoundedDatastore();
}
