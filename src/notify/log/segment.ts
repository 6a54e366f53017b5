import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { INDEX_EVERY } from "../limits.ts";
import type { LogEvent } from "../types.ts";

/** Hex digits of the checksum and a space before each line's JSON. */
const PREFIX_CHARS = 9;
const NEWLINE = 0x0a;

/** One file of the log: a line per event, each with a checksum of its own. */
export interface Segment {
  readonly file: string;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly bytes: number;
  append(events: readonly LogEvent[], sync: boolean): void;
  read(offset: number, limits: { readonly maxEvents: number; readonly maxBytes: number }): LogEvent[];
  close(): void;
}

/** What a file holds up to its first damage. */
export interface Scan {
  /** Byte position of every {@link INDEX_EVERY}th event. */
  readonly index: number[];
  readonly events: number;
  readonly goodBytes: number;
  /** `torn`: the last line is not whole, as after a kill; `damaged`: something before the end is wrong. */
  readonly state: "whole" | "torn" | "damaged";
}

/** Reads a file through and checks every line. */
export function scanSegment(file: string, firstOffset: number): Scan {
  const bytes = readFileSync(file);
  const index: number[] = [];
  let events = 0;
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) return { index, events, goodBytes: at, state: "torn" };
    const event = parseLine(bytes.subarray(at, end));
    if (event === undefined || event.offset !== firstOffset + events) {
      const isLast = end === bytes.length - 1;
      return { index, events, goodBytes: at, state: isLast ? "torn" : "damaged" };
    }
    if (events % INDEX_EVERY === 0) index.push(at);
    events += 1;
    at = end + 1;
  }
  return { index, events, goodBytes: at, state: "whole" };
}

/** Opens a file for reading and appending; `scan` tells what it holds, and what is beyond that is cut off. */
export function openSegment(file: string, firstOffset: number, scan?: Scan): Segment {
  const fd = openSync(file, scan === undefined ? "wx+" : "r+", 0o600);
  const index = scan?.index ?? [];
  let events = scan?.events ?? 0;
  let bytes = scan?.goodBytes ?? 0;
  if (scan !== undefined && scan.state !== "whole") ftruncateSync(fd, bytes);
  return {
    file,
    firstOffset,
    get nextOffset() {
      return firstOffset + events;
    },
    get bytes() {
      return bytes;
    },
    append(batch, sync) {
      const lines: string[] = [];
      let at = bytes;
      let count = events;
      const marks: number[] = [];
      for (const event of batch) {
        const line = formatLine(event);
        if (count % INDEX_EVERY === 0) marks.push(at);
        at += Buffer.byteLength(line);
        count += 1;
        lines.push(line);
      }
      writeAll(fd, Buffer.from(lines.join("")), bytes);
      if (sync) fsyncSync(fd);
      index.push(...marks);
      events = count;
      bytes = at;
    },
    read(offset, limits) {
      const skipTo = offset - firstOffset;
      let position = index[Math.floor(skipTo / INDEX_EVERY)] ?? bytes;
      let current = skipTo - (skipTo % INDEX_EVERY);
      const found: LogEvent[] = [];
      let taken = 0;
      let rest: Buffer = Buffer.alloc(0);
      while (position < bytes && found.length < limits.maxEvents && taken < limits.maxBytes) {
        const chunk = Buffer.allocUnsafe(Math.min(limits.maxBytes, bytes - position));
        const read = readSync(fd, chunk, 0, chunk.length, position);
        if (read === 0) break;
        position += read;
        const data = Buffer.concat([rest, chunk.subarray(0, read)]);
        let at = 0;
        for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, at)) {
          if (current >= skipTo && found.length < limits.maxEvents && taken < limits.maxBytes) {
            const event = parseLine(data.subarray(at, end));
            if (event === undefined) throw new Error(`${file} is damaged at event ${firstOffset + current}`);
            found.push(event);
            taken += end - at;
          }
          current += 1;
          at = end + 1;
        }
        rest = data.subarray(at);
      }
      return found;
    },
    close: () => closeSync(fd),
  };
}

function writeAll(fd: number, data: Buffer, position: number): void {
  let written = 0;
  while (written < data.length) {
    written += writeSync(fd, data, written, data.length - written, position + written);
  }
}

function formatLine(event: LogEvent): string {
  const text = JSON.stringify(event);
  return `${crc32(text)
    .toString(16)
    .padStart(PREFIX_CHARS - 1, "0")} ${text}\n`;
}

function parseLine(line: Buffer): LogEvent | undefined {
  if (line.length < PREFIX_CHARS) return undefined;
  const text = line.subarray(PREFIX_CHARS);
  if (crc32(text) !== Number.parseInt(line.toString("latin1", 0, PREFIX_CHARS - 1), 16)) return undefined;
  try {
    // The checksum holds, so this is what formatLine wrote.
    return JSON.parse(text.toString()) as LogEvent;
  } catch {
    return undefined;
  }
}
