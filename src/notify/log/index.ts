export {
  createEventLog,
  type EpochListener,
  eventBytes,
  type EventLog,
  type EventLogComponents,
  type EventLogInit,
  type EventStore,
  FIRST_OFFSET,
  type Page,
  type ReadLimits,
} from "./event-log.ts";
export { type FileStoreInit, openFileStore } from "./file-store.ts";
export { Ring, type RingEntry } from "./ring.ts";
