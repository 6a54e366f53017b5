import type { ListSort } from "@cidcast/protocols/node-api";
import { type Insertable, type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { CidcastError } from "../../core/index.ts";
import type { Database } from "../../store/index.ts";
import {
  DEFAULT_LIST_LIMIT,
  MAX_LIST_LIMIT,
  MAX_MEDIA_SUMMARY_BYTES,
  MAX_PINS_PER_CID,
  MAX_SEARCH_LENGTH,
} from "../limits.ts";
import type { ContentRecord, ListQuery, MediaSummary, Pin, PinQuery } from "../types.ts";
import type { ContentTables } from "./migrations.ts";

type Rows = Kysely<ContentTables> | Transaction<ContentTables>;

/** How lists are ordered. */
const ORDER = {
  newest: sql`added_at_ms desc`,
  oldest: sql`added_at_ms asc`,
  name: sql`coalesce(lower(name), '') asc`,
  largest: sql`size desc`,
} as const satisfies Record<ListSort, unknown>;

/** A record and its pin, written together. */
export interface NewRecord {
  readonly record: Omit<ContentRecord, "media">;
  /** Name to pin under; undefined: not pinned. */
  readonly pin: string | undefined;
}

/** Records and pins in the database. CIDs come in canonical form. */
export class RecordStore {
  readonly #db: Kysely<ContentTables>;

  constructor(database: Pick<Database, "tables">) {
    this.#db = database.tables<ContentTables>();
  }

  /** Writes a record, or completes the one there is, and pins it: all or nothing. Tells what was new. */
  save({ record, pin }: NewRecord): Promise<{
    readonly record: ContentRecord;
    readonly added: boolean;
    readonly pinned: boolean;
  }> {
    return this.#guarded(() =>
      this.#db.transaction().execute(async db => {
        const known = await this.#find(db, record.cid);
        const merged = known === undefined ? { ...record, media: undefined } : { ...known, ...named(record) };
        if (known === undefined) {
          await db.insertInto("content_record").values(toRow(merged)).execute();
        } else {
          const { name, content_type } = toRow(merged);
          await db
            .updateTable("content_record")
            .set({ name, content_type })
            .where("cid", "=", record.cid)
            .execute();
        }
        const pinned = pin !== undefined && (await this.#pin(db, record.cid, pin, record.addedAtMs));
        return { record: merged, added: known === undefined, pinned };
      }),
    );
  }

  record(cid: string): Promise<ContentRecord | undefined> {
    return this.#guarded(() => this.#find(this.#db, cid));
  }

  async list(query: ListQuery): Promise<{ readonly records: ContentRecord[]; readonly total: number }> {
    const { search = "", sort = "newest", limit = DEFAULT_LIST_LIMIT, offset = 0 } = query;
    if (!Number.isSafeInteger(limit) || limit < 0 || limit > MAX_LIST_LIMIT) {
      throw new CidcastError(
        "INVALID_REQUEST",
        `The limit of a list is a number from 0 to ${MAX_LIST_LIMIT}`,
      );
    }
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new CidcastError("INVALID_REQUEST", "The offset of a list is a number from 0 up");
    }
    if (search.length > MAX_SEARCH_LENGTH) {
      throw new CidcastError(
        "INVALID_REQUEST",
        `At most ${MAX_SEARCH_LENGTH} characters can be searched for`,
      );
    }
    const text = search.replaceAll(/[\\%_]/g, "\\$&");
    let matching = this.#db.selectFrom("content_record");
    if (search !== "") {
      matching = matching.where(({ or }) =>
        or([
          sql<boolean>`lower(name) like ${`%${text.toLowerCase()}%`} escape '\\'`,
          sql<boolean>`cid like ${`${text}%`} escape '\\'`,
        ]),
      );
    }
    return this.#guarded(async () => {
      const counted = await matching.select(({ fn }) => fn.countAll().as("total")).executeTakeFirstOrThrow();
      const rows = await matching
        .selectAll()
        .orderBy(ORDER[sort])
        .orderBy("cid")
        .limit(limit)
        .offset(offset)
        .execute();
      return { records: rows.map(fromRow), total: Number(counted.total) };
    });
  }

  /** Keeps what a probe found. `CONTENT_NOT_FOUND` when there is no record. */
  async setMedia(cid: string, media: MediaSummary): Promise<void> {
    const json = JSON.stringify(media);
    if (Buffer.byteLength(json) > MAX_MEDIA_SUMMARY_BYTES) {
      throw new CidcastError("LIMIT_REACHED", `A media summary has at most ${MAX_MEDIA_SUMMARY_BYTES} bytes`);
    }
    const { numUpdatedRows } = await this.#guarded(() =>
      this.#db.updateTable("content_record").set({ media: json }).where("cid", "=", cid).executeTakeFirst(),
    );
    if (numUpdatedRows === 0n) throw new CidcastError("CONTENT_NOT_FOUND", `There is no record of ${cid}`);
  }

  /** Takes a record and its pins away; undefined when there was neither. */
  remove(cid: string): Promise<{ readonly pins: readonly string[]; readonly hadRecord: boolean }> {
    return this.#guarded(() =>
      this.#db.transaction().execute(async db => {
        const pins = await db.deleteFrom("content_pin").where("cid", "=", cid).returning("name").execute();
        const gone = await db.deleteFrom("content_record").where("cid", "=", cid).executeTakeFirst();
        return { pins: pins.map(pin => pin.name), hadRecord: gone.numDeletedRows > 0n };
      }),
    );
  }

  /** False when it was not pinned under that name. */
  async unpin(cid: string, name: string): Promise<boolean> {
    const gone = await this.#guarded(() =>
      this.#db.deleteFrom("content_pin").where("cid", "=", cid).where("name", "=", name).executeTakeFirst(),
    );
    return gone.numDeletedRows > 0n;
  }

  /** Pins, oldest first: all, those of one CID, or those whose names begin alike. */
  pins({ cid, namePrefix }: PinQuery = {}): Promise<Pin[]> {
    return this.#guarded(async () => {
      let query = this.#db.selectFrom("content_pin").selectAll();
      if (cid !== undefined) query = query.where("cid", "=", cid);
      if (namePrefix !== undefined) {
        // As the index has it, so that the length has to be a literal.
        const begin = sql<string>`substr(name, 1, ${sql.lit(namePrefix.length)})`;
        query = query.where(begin, "=", namePrefix);
      }
      const rows = await query.orderBy("pinned_at_ms").orderBy("cid").orderBy("name").execute();
      return rows.map(row => ({ cid: row.cid, name: row.name, pinnedAtMs: Number(row.pinned_at_ms) }));
    });
  }

  /** CIDs of the records that are not pinned. */
  unpinnedRecords(): Promise<string[]> {
    return this.#guarded(async () => {
      const rows = await this.#db
        .selectFrom("content_record")
        .leftJoin("content_pin", "content_pin.cid", "content_record.cid")
        .where("content_pin.cid", "is", null)
        .select("content_record.cid")
        .execute();
      return rows.map(row => row.cid);
    });
  }

  async #find(db: Rows, cid: string): Promise<ContentRecord | undefined> {
    const row = await db.selectFrom("content_record").selectAll().where("cid", "=", cid).executeTakeFirst();
    return row === undefined ? undefined : fromRow(row);
  }

  async #pin(db: Rows, cid: string, name: string, atMs: number): Promise<boolean> {
    const pins = await db.selectFrom("content_pin").select("name").where("cid", "=", cid).execute();
    if (pins.some(pin => pin.name === name)) return false;
    if (pins.length >= MAX_PINS_PER_CID) {
      throw new CidcastError("LIMIT_REACHED", `${cid} is pinned under ${MAX_PINS_PER_CID} names already`);
    }
    await db.insertInto("content_pin").values({ cid, name, pinned_at_ms: atMs }).execute();
    return true;
  }

  /** Makes the driver's errors ours. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof CidcastError) throw cause;
      const full = cause instanceof Error && /disk is full/i.test(cause.message);
      throw new CidcastError(
        full ? "STORAGE_FULL" : "STORAGE_FAILED",
        "The database answered with an error",
        {
          cause,
        },
      );
    }
  }
}

/** What a second add of the same content may tell anew: a name and the type that goes with it. */
function named(record: Omit<ContentRecord, "media">): Partial<ContentRecord> {
  return record.name === undefined ? {} : { name: record.name, contentType: record.contentType };
}

function toRow(record: ContentRecord): Insertable<ContentTables["content_record"]> {
  return {
    cid: record.cid,
    name: record.name ?? null,
    size: record.size,
    content_type: record.contentType,
    added_at_ms: record.addedAtMs,
    media: record.media === undefined ? null : JSON.stringify(record.media),
  };
}

function fromRow(row: Selectable<ContentTables["content_record"]>): ContentRecord {
  return {
    cid: row.cid,
    name: row.name ?? undefined,
    size: Number(row.size),
    contentType: row.content_type,
    addedAtMs: Number(row.added_at_ms),
    // Written by setMedia from a value of this type.
    media: row.media === null ? undefined : (JSON.parse(row.media) as MediaSummary),
  };
}
