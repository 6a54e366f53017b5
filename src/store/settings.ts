import type { Database } from "./database.ts";
import type { Migration } from "./migrate.ts";

type Tables = {
  settings: { key: string; value: string };
};

/** Small facts the node remembers about itself between runs. */
export interface Settings {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

export const settingsMigrations: readonly Migration[] = [
  {
    id: "settings-0001",
    up: db =>
      db.schema
        .createTable("settings")
        .addColumn("key", "text", column => column.primaryKey())
        .addColumn("value", "text", column => column.notNull())
        .execute(),
  },
];

export function createSettings(database: Database): Settings {
  const db = database.tables<Tables>();
  return {
    async get(key) {
      const row = await db.selectFrom("settings").select("value").where("key", "=", key).executeTakeFirst();
      return row?.value;
    },
    async set(key, value) {
      await db
        .insertInto("settings")
        .values({ key, value })
        .onConflict(conflict => conflict.column("key").doUpdateSet({ value }))
        .execute();
    },
  };
}
