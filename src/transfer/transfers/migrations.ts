import type { ColumnType } from "kysely";
import type { Migration } from "../../store/index.ts";

/** A number of 64 bits: PostgreSQL gives it as text. */
type BigNumber = ColumnType<number | string, number, number>;
type BigNumberOrNull = ColumnType<number | string | null, number | null, number | null>;

/** Tables of this domain. */
export interface TransferTables {
  transfer: {
    id: string;
    cid: string;
    state: string;
    /** JSON: everything that is not searched for. */
    facts: string;
    created_at_ms: BigNumber;
    ended_at_ms: BigNumberOrNull;
  };
  transfer_health: { source: string; facts: string; updated_at_ms: BigNumber };
  /** The newest record of each author about a CID. */
  metadata_record: {
    cid: string;
    author: string;
    id: string;
    version: BigNumber;
    /** JSON: payload, key and signature, as they came. */
    signed: string;
  };
}

/** Migrations of this domain, in order. */
export const transferMigrations: readonly Migration[] = [
  {
    id: "transfer-0001",
    up: async db => {
      await db.schema
        .createTable("transfer")
        .addColumn("id", "text", column => column.primaryKey())
        .addColumn("cid", "text", column => column.notNull())
        .addColumn("state", "text", column => column.notNull())
        .addColumn("facts", "text", column => column.notNull())
        .addColumn("created_at_ms", "bigint", column => column.notNull())
        .addColumn("ended_at_ms", "bigint")
        .execute();
      await db.schema
        .createIndex("transfer_state")
        .on("transfer")
        .columns(["state", "created_at_ms"])
        .execute();
      await db.schema
        .createTable("transfer_health")
        .addColumn("source", "text", column => column.primaryKey())
        .addColumn("facts", "text", column => column.notNull())
        .addColumn("updated_at_ms", "bigint", column => column.notNull())
        .execute();
    },
  },
  {
    id: "transfer-0002",
    up: async db => {
      await db.schema
        .createTable("metadata_record")
        .addColumn("cid", "text", column => column.notNull())
        .addColumn("author", "text", column => column.notNull())
        .addColumn("id", "text", column => column.notNull())
        .addColumn("version", "bigint", column => column.notNull())
        .addColumn("signed", "text", column => column.notNull())
        .addPrimaryKeyConstraint("metadata_record_key", ["cid", "author"])
        .execute();
    },
  },
];
