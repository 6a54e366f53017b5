import type { Kysely } from "kysely";

/** Tables of this domain. */
export interface NotifyTables {
  notify_webhooks: {
    id: string;
    url: string;
    /** JSON list of notification types. */
    types: string;
    filter: string | null;
    created_at_ms: number;
    /** Where in the log the receiver is: the last event it accepted. */
    epoch: string;
    at_offset: number;
  };
}

/** The node's database, as far as this domain sees it. */
export type NotifyDatabase = Kysely<NotifyTables>;

/** Steps that make the tables of this domain. */
export const notifyMigrations = [
  {
    id: "notify-0001",
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("notify_webhooks")
        .addColumn("id", "text", column => column.primaryKey())
        .addColumn("url", "text", column => column.notNull())
        .addColumn("types", "text", column => column.notNull())
        .addColumn("filter", "text")
        .addColumn("created_at_ms", "bigint", column => column.notNull())
        .addColumn("epoch", "text", column => column.notNull())
        .addColumn("at_offset", "bigint", column => column.notNull())
        .execute();
    },
  },
] as const;
