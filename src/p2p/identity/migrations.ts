import type { ColumnType, Kysely, RawBuilder } from "kysely";

/** A number of 64 bits: PostgreSQL gives it as text. */
type BigNumber = ColumnType<number | string, number, number>;

/** Tables of this domain. */
export interface PeerTables {
  p2p_records: { key: string; value: Uint8Array };
  p2p_reputation: { peer_id: string; facts: string; updated_at_ms: BigNumber };
  p2p_family: { member: string; parent: string; added_at_ms: BigNumber };
}

/** The node's database, as far as this domain sees it. */
export type PeerDatabase = Kysely<PeerTables>;

/** What this domain needs of the types that databases call by different names. */
interface KeyValueTypes {
  readonly binary: RawBuilder<unknown>;
  readonly key: RawBuilder<unknown>;
}

/** Steps that make the tables of this domain. */
export const peerMigrations = [
  {
    id: "p2p-0001",
    async up(db: Kysely<unknown>, types: KeyValueTypes): Promise<void> {
      await db.schema
        .createTable("p2p_records")
        .addColumn("key", types.key, column => column.primaryKey())
        .addColumn("value", types.binary, column => column.notNull())
        .execute();
    },
  },
  {
    id: "p2p-0002",
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("p2p_reputation")
        .addColumn("peer_id", "text", column => column.primaryKey())
        .addColumn("facts", "text", column => column.notNull())
        .addColumn("updated_at_ms", "bigint", column => column.notNull())
        .execute();
      await db.schema
        .createTable("p2p_family")
        .addColumn("member", "text", column => column.notNull())
        .addColumn("parent", "text", column => column.notNull())
        .addColumn("added_at_ms", "bigint", column => column.notNull())
        .addPrimaryKeyConstraint("p2p_family_key", ["member", "parent"])
        .execute();
      await db.schema.createIndex("p2p_family_age").on("p2p_family").column("added_at_ms").execute();
    },
  },
] as const;
