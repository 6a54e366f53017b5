export { type BackupOptions, createBackup } from "./backup.ts";
export { type Restored, restoreBackup } from "./restore.ts";
