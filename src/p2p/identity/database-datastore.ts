import { BaseDatastore } from "datastore-core";
import { Key, type KeyQuery, type Pair, type Query } from "interface-datastore";
import type { PeerDatabase } from "./migrations.ts";

/** What libp2p expects of a datastore where a key is missing: it goes by the name. */
class RecordNotFoundError extends Error {
  override readonly name = "NotFoundError";
}

/**
 * libp2p's records (identity, address book) in the node's own database: one file to back up and to lock, one
 * durability policy, no second storage engine.
 */
export class DatabaseDatastore extends BaseDatastore {
  readonly #db: PeerDatabase;

  constructor(db: PeerDatabase) {
    super();
    this.#db = db;
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    await this.#db
      .insertInto("p2p_records")
      .values({ key: key.toString(), value })
      .onConflict(conflict => conflict.column("key").doUpdateSet({ value }))
      .execute();
    return key;
  }

  override async get(key: Key): Promise<Uint8Array> {
    const row = await this.#db
      .selectFrom("p2p_records")
      .select("value")
      .where("key", "=", key.toString())
      .executeTakeFirst();
    if (row === undefined) throw new RecordNotFoundError(`No record ${key.toString()}`);
    return row.value;
  }

  override async has(key: Key): Promise<boolean> {
    const row = await this.#db
      .selectFrom("p2p_records")
      .select("key")
      .where("key", "=", key.toString())
      .executeTakeFirst();
    return row !== undefined;
  }

  override async delete(key: Key): Promise<void> {
    await this.#db.deleteFrom("p2p_records").where("key", "=", key.toString()).execute();
  }

  override async *_all(query: Query): AsyncGenerator<Pair> {
    for (const row of await this.#rows(query.prefix)) yield { key: new Key(row.key), value: row.value };
  }

  override async *_allKeys(query: KeyQuery): AsyncGenerator<Key> {
    for (const row of await this.#rows(query.prefix)) yield new Key(row.key);
  }

  async #rows(prefix = ""): Promise<PeerRow[]> {
    // The highest code point that may follow: every key that begins with the prefix sorts below it.
    const end = `${prefix}\u{10FFFF}`;
    return this.#db
      .selectFrom("p2p_records")
      .selectAll()
      .where("key", ">=", prefix)
      .where("key", "<", end)
      .orderBy("key")
      .execute();
  }
}

interface PeerRow {
  readonly key: string;
  readonly value: Uint8Array;
}
