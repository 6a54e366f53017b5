import { type ColumnType, sql } from "kysely";
import type { Migration } from "../../store/index.ts";

/** As much of a pin's name is in an index of its own, characters: `tenant:` and a UUID. */
const PIN_OWNER_LENGTH = 43;

/** A number of 64 bits: PostgreSQL gives it as text. */
type BigNumber = ColumnType<number | string, number, number>;

/** Tables of the content domain. */
export interface ContentTables {
  content_record: {
    cid: string;
    name: string | null;
    size: BigNumber;
    content_type: string;
    added_at_ms: BigNumber;
    /** JSON. */
    media: string | null;
  };
  content_pin: { cid: string; name: string; pinned_at_ms: BigNumber };
}

/** Migrations of the content domain, in order. */
export const contentMigrations: readonly Migration[] = [
  {
    id: "content-0001",
    up: async db => {
      await db.schema
        .createTable("content_record")
        .addColumn("cid", "text", column => column.primaryKey())
        .addColumn("name", "text")
        .addColumn("size", "bigint", column => column.notNull())
        .addColumn("content_type", "text", column => column.notNull())
        .addColumn("added_at_ms", "bigint", column => column.notNull())
        .addColumn("media", "text")
        .execute();
      await db.schema
        .createIndex("content_record_added_at")
        .on("content_record")
        .columns(["added_at_ms", "cid"])
        .execute();
      await db.schema
        .createTable("content_pin")
        .addColumn("cid", "text", column => column.notNull())
        .addColumn("name", "text", column => column.notNull())
        .addColumn("pinned_at_ms", "bigint", column => column.notNull())
        .addPrimaryKeyConstraint("content_pin_key", ["cid", "name"])
        .execute();
    },
  },
  {
    // Pins are looked for by how their names begin: whoever owns several names them alike.
    id: "content-0002",
    up: async db => {
      await db.schema
        .createIndex("content_pin_owner")
        .on("content_pin")
        .expression(sql`substr(name, 1, ${sql.lit(PIN_OWNER_LENGTH)})`)
        .execute();
    },
  },
];
