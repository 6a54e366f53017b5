import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { uptime } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { CidcastError, type Logger } from "../../core/index.ts";
import { MAX_DISK_BYTES, PAGE_BYTES, PAGE_EVENTS, SEGMENT_BYTES } from "../limits.ts";
import { FIRST_OFFSET, type EventStore } from "./event-log.ts";
import { openSegment, type Segment, scanSegment } from "./segment.ts";

const META_FILE = "log.json";
const SEGMENT_NAME = /^events-(\d{16})\.log$/;
/** Two starts of the machine are told apart by the time of boot, as far as clocks are steady, milliseconds. */
const BOOT_TOLERANCE_MS = 60_000;

const metaSchema = z.object({
  epoch: z.string().min(1),
  /** Whether the log was closed in good order. */
  clean: z.boolean(),
  boot: z.string(),
});
type Meta = z.output<typeof metaSchema>;

export interface FileStoreInit {
  /** Directory of the log's files; made when it is new. */
  readonly directory: string;
  readonly maxBytes?: number;
  readonly segmentBytes?: number;
  /** `full`: an fsync per flush, so that a power cut loses nothing that was told. `process`: a power cut begins a new epoch. */
  readonly durability?: "process" | "full";
}

/** Opens the log on disk. `STORAGE_FAILED` when the directory cannot be used. Damage begins a new epoch, a torn end is cut off. */
export function openFileStore(init: FileStoreInit, log: Logger): EventStore {
  return guarded(init.directory, "opened", () => open(init, log));
}

function open(init: FileStoreInit, log: Logger): EventStore {
  const { directory, durability = "process" } = init;
  const segmentBytes = init.segmentBytes ?? SEGMENT_BYTES;
  const maxBytes = init.maxBytes ?? MAX_DISK_BYTES;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const meta = readMeta(directory);
  let segments: Segment[] | undefined;
  if (meta !== undefined && (meta.clean || durability === "full" || meta.boot === bootMark(meta.boot))) {
    segments = openSegments(directory, log);
  }
  const epoch = segments === undefined || meta === undefined ? randomUUID() : meta.epoch;
  if (segments === undefined) {
    if (meta !== undefined) log.warn({ directory }, "the event log cannot be continued: a new epoch begins");
    for (const { name } of segmentNames(directory)) rmSync(join(directory, name));
    segments = [newSegment(directory, FIRST_OFFSET)];
  }
  const files = segments;
  const writeMeta = (clean: boolean): void => saveMeta(directory, { epoch, clean, boot: bootMark() });
  writeMeta(false);
  const last = (): Segment => {
    const segment = files.at(-1);
    if (segment === undefined) throw new Error("the event log is closed");
    return segment;
  };
  const dropOldest = (): void => {
    let total = files.reduce((sum, segment) => sum + segment.bytes, 0);
    while (files.length > 1 && total > maxBytes) {
      const oldest = files.shift();
      if (oldest === undefined) return;
      total -= oldest.bytes;
      oldest.close();
      rmSync(oldest.file, { force: true });
    }
  };
  return {
    epoch,
    get firstOffset() {
      return files[0]?.firstOffset ?? FIRST_OFFSET;
    },
    get nextOffset() {
      return last().nextOffset;
    },
    append: events =>
      guarded(directory, "written", () => {
        last().append(events, durability === "full");
        if (last().bytes < segmentBytes) return;
        files.push(newSegment(directory, last().nextOffset));
        dropOldest();
      }),
    read: (offset, limits) =>
      guarded(directory, "read", () => {
        const holding = files.find(segment => offset >= segment.firstOffset && offset < segment.nextOffset);
        const { maxEvents = PAGE_EVENTS, maxBytes: pageBytes = PAGE_BYTES } = limits;
        return holding?.read(offset, { maxEvents, maxBytes: pageBytes }) ?? [];
      }),
    close() {
      if (files.length === 0) return;
      for (const segment of files.splice(0)) segment.close();
      writeMeta(true);
    },
  };
}

/** The segments there are, or undefined when they do not make one log. */
function openSegments(directory: string, log: Logger): Segment[] | undefined {
  const names = segmentNames(directory);
  let scanned = names.map(({ name, firstOffset }) => ({
    file: join(directory, name),
    firstOffset,
    scan: scanSegment(join(directory, name), firstOffset),
  }));
  if (scanned.at(-1)?.scan.state === "damaged") return undefined;
  // A damaged file that is not the last one takes those before it along: what is left has no gap.
  const usable = scanned.findLastIndex(
    ({ firstOffset, scan }, i) =>
      i < scanned.length - 1 &&
      (scan.state !== "whole" || firstOffset + scan.events !== scanned[i + 1]?.firstOffset),
  );
  for (const { file } of scanned.slice(0, usable + 1)) {
    log.warn({ file }, "a damaged part of the event log is removed");
    rmSync(file);
  }
  scanned = scanned.slice(usable + 1);
  if (scanned.length === 0) return undefined;
  return scanned.map(({ file, firstOffset, scan }) => openSegment(file, firstOffset, scan));
}

function newSegment(directory: string, firstOffset: number): Segment {
  return openSegment(join(directory, `events-${String(firstOffset).padStart(16, "0")}.log`), firstOffset);
}

function segmentNames(directory: string): { readonly name: string; readonly firstOffset: number }[] {
  return readdirSync(directory)
    .map(name => ({ name, match: SEGMENT_NAME.exec(name) }))
    .filter(({ match }) => match !== null)
    .map(({ name, match }) => ({ name, firstOffset: Number(match?.[1]) }))
    .sort((a, b) => a.firstOffset - b.firstOffset);
}

function readMeta(directory: string): Meta | undefined {
  try {
    return metaSchema.parse(JSON.parse(readFileSync(join(directory, META_FILE), "utf8")));
  } catch {
    // No file or a foreign one: the log begins anew.
    return undefined;
  }
}

function saveMeta(directory: string, meta: Meta): void {
  const file = join(directory, META_FILE);
  writeFileSync(`${file}.new`, JSON.stringify(meta), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** What tells this run of the machine from others; `known` when it is the same run. */
function bootMark(known?: string): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux: the time of boot does.
    const bootMs = Date.now() - uptime() * 1000;
    if (known !== undefined && Math.abs(Number(known) - bootMs) < BOOT_TOLERANCE_MS) return known;
    return String(Math.round(bootMs));
  }
}

function guarded<T>(directory: string, verb: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new CidcastError("STORAGE_FAILED", `The event log in ${directory} cannot be ${verb}`, { cause });
  }
}
