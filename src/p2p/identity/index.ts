export { DatabaseDatastore } from "./database-datastore.ts";
export type { PeerDatabase, PeerTables } from "./migrations.ts";
