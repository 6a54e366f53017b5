export { type DataDir, findRunningNode, lockDataDir, type RunningNode } from "./data-dir.ts";
export { type Database, type DatabaseInit, openDatabase } from "./database.ts";
export type { ColumnTypes, Migration } from "./migrate.ts";
export type { Durability } from "./node-sqlite-dialect.ts";
export { createSettings, type Settings, settingsMigrations } from "./settings.ts";
