export { CID_PROFILE } from "./add/profile.ts";
export type { BlockDurability, BlockGuard } from "./blockstore/blockstore.ts";
export { carEntry, carHeader, type DagBlock } from "./car/codec.ts";
export { type CarStream, readCar } from "./car/reader.ts";
export type { DagSelection, EntityBytes } from "./car/select.ts";
export {
  type BlockstoreInit,
  type ContentComponents,
  type ContentInit,
  type ContentService,
  createContent,
} from "./content.ts";
export type { Blocks } from "./dag/blocks.ts";
export { parseCid } from "./dag/cid.ts";
export { ContentDenylist, type Denylist, type DenylistSource } from "./denylist/denylist.ts";
export { linksOf } from "./dag/links.ts";
export { type WalkOptions, type WalkStep, walkDag } from "./dag/walk.ts";
export {
  type ContentLimits,
  DEFAULT_CONTENT_LIMITS,
  DENYLIST_TIMEOUT_MS,
  MAX_DENYLIST_BYTES,
} from "./limits.ts";
export { type ContentTables, contentMigrations } from "./records/migrations.ts";
export type {
  AddOptions,
  AddProgress,
  BlockNetwork,
  BlockOrigin,
  CarImport,
  Content,
  ChangeOptions,
  ContentDag,
  ContentEvents,
  ContentFile,
  ContentHold,
  ContentRecord,
  ContentStat,
  DagExport,
  DirectoryEntry,
  DirectoryEntrySource,
  GcResult,
  ImportCarOptions,
  ListQuery,
  MediaSummary,
  Pin,
  PinQuery,
  RangeOptions,
  ResolvedPath,
} from "./types.ts";
