import { z } from "zod";

/** What a backup is called that this program writes and reads. */
export const BACKUP_FORMAT = "cidcast-backup-1";
/** First entry: what the backup is. */
export const MANIFEST_FILE = "backup.json";
/** Last entry: the SHA-256 of every other one. */
export const SUMS_FILE = "sha256.json";
/** The database, where it is SQLite. */
export const DATABASE_FILE = "node.db";
/** Files of the data directory that are kept, and directories with all that is below them. */
export const KEPT_FILES: readonly string[] = ["admin-key", "signing-key"];
export const KEPT_DIRECTORIES: readonly string[] = ["keys", "files", "tls"];
/** Pieces of the blocks, each a CAR. */
export const BLOCKS_DIRECTORY = "blocks";
/** Largest piece of the blocks, bytes: it is put together in memory. */
export const BLOCKS_PIECE_BYTES = 16 * 1024 * 1024;
/** Largest JSON entry that is read, bytes. */
export const MAX_JSON_BYTES = 64 * 1024 * 1024;

export const manifestSchema = z.object({
  format: z.literal(BACKUP_FORMAT),
  version: z.string(),
  created_at: z.iso.datetime(),
  /** `postgres`: the database is not in it. */
  database: z.enum(["sqlite", "postgres"]),
  blocks: z.boolean(),
});
export type BackupManifest = z.output<typeof manifestSchema>;

export const sumsSchema = z.record(z.string(), z.string());
