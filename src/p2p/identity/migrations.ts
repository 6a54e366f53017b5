import type { Kysely, RawBuilder } from "kysely";

/** Tables of this domain. */
export interface PeerTables {
  p2p_records: { key: string; value: Uint8Array };
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
] as const;
