import type { Kysely } from "kysely";

/** Tables of this domain. */
export interface PeerTables {
  p2p_records: { key: string; value: Uint8Array };
}

/** The node's database, as far as this domain sees it. */
export type PeerDatabase = Kysely<PeerTables>;

/** Steps that make the tables of this domain. */
export const peerMigrations = [
  {
    id: "p2p-0001",
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("p2p_records")
        .addColumn("key", "text", column => column.primaryKey())
        .addColumn("value", "blob", column => column.notNull())
        .execute();
    },
  },
] as const;
