import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { MAX_EVENT_BYTES } from "../limits.ts";
import {
  createEventLog,
  type EventLog,
  type EventStore,
  type FileStoreInit,
  openFileStore,
} from "./index.ts";

const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };

/** Every event from `from` on, page by page. */
function readAll(log: EventLog, from: number): number[] {
  const offsets: number[] = [];
  for (let at = from; at < log.nextOffset; ) {
    const page = log.read(at);
    offsets.push(...page.entries.map(({ event }) => event.offset));
    at = page.nextOffset;
  }
  return offsets;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

describe("a log in memory", () => {
  test("numbers events from 1 and gives them again in order", () => {
    const log = createEventLog()(components);
    log.append("a", { n: 1 });
    log.append("b", { n: 2 }, { source: "x", latestKey: "k" });
    expect(log.read(1).entries.map(({ event }) => event)).toMatchObject([
      { offset: 1, topic: "a", data: { n: 1 } },
      { offset: 2, topic: "b", source: "x", latestKey: "k" },
    ]);
    expect(log.recent(10, event => event.topic === "b")).toHaveLength(1);
  });

  test("keeps so many events, and says what is lost", () => {
    const log = createEventLog({ maxEvents: 3 })(components);
    for (let n = 0; n < 5; n += 1) log.append("a", { n });
    const page = log.read(1);
    expect(page.lost).toEqual({ fromOffset: 1, toOffset: 2 });
    expect(page.entries.map(({ event }) => event.offset)).toEqual([3, 4, 5]);
    expect(log.gapAfter(log.epoch, 2)).toBeUndefined();
    expect(log.gapAfter(log.epoch, 1)).toMatch("no longer kept");
    expect(log.gapAfter(log.epoch, 6)).toMatch("not come that far");
    expect(log.gapAfter("other", 2)).toMatch("anew");
  });

  test("keeps so many bytes, whatever their number", () => {
    const log = createEventLog({ maxBytes: 1000 })(components);
    for (let n = 0; n < 50; n += 1) log.append("a", { text: "x".repeat(100) });
    expect(log.nextOffset - log.firstOffset).toBeLessThan(10);
  });

  test("refuses an event that is too large", () => {
    const log = createEventLog()(components);
    expect(() => log.append("a", { text: "x".repeat(MAX_EVENT_BYTES) })).toThrow(
      expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }),
    );
    expect(log.nextOffset).toBe(1);
  });
});

describe("a log on disk", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cidcast-events-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const open = (init: Partial<FileStoreInit> = {}, maxEvents = 100): EventLog =>
    createEventLog({ maxEvents })({
      ...components,
      store: openFileStore({ directory, ...init }, silentLogger),
    });
  const fill = (log: EventLog, count: number): void => {
    for (let n = 0; n < count; n += 1) {
      log.append("t", { n, text: "é".repeat(n % 7) });
      if (n % 10 === 0) log.commit();
    }
    log.commit();
  };

  test("goes on where it was, in the same epoch, over many segments", () => {
    const first = open({ segmentBytes: 5000 });
    fill(first, 2000);
    const epoch = first.epoch;
    first.close();
    const second = open({ segmentBytes: 5000 });
    expect(second.epoch).toBe(epoch);
    fill(second, 500);
    expect(readAll(second, 1)).toEqual(range(1, 2500));
    expect(readAll(second, 1234)).toEqual(range(1234, 2500));
    expect(second.recent(1000, () => true).at(-1)?.offset).toBe(2500);
    expect(readdirSync(directory).length).toBeGreaterThan(10);
    second.close();
  });

  test("keeps so many bytes on disk, and says what is lost", () => {
    const log = open({ segmentBytes: 2000, maxBytes: 10_000 });
    fill(log, 2000);
    expect(readdirSync(directory).length).toBeLessThanOrEqual(8);
    expect(log.firstOffset).toBeGreaterThan(1000);
    expect(log.read(1).lost).toEqual({ fromOffset: 1, toOffset: log.firstOffset - 1 });
    log.close();
  });

  test("a kill leaves a torn end, which is cut off; everything before is kept in the same epoch", () => {
    const log = open();
    fill(log, 10);
    const epoch = log.epoch;
    // The process is gone here: nothing is closed.
    const [file = ""] = readdirSync(directory).filter(name => name.endsWith(".log"));
    appendFileSync(join(directory, file), '0badc0de {"offset":11,"top');
    const again = open();
    expect(again.epoch).toBe(epoch);
    expect(again.nextOffset).toBe(11);
    fill(again, 1);
    expect(readAll(again, 1)).toEqual(range(1, 11));
  });

  test("damage before the end begins a new epoch rather than number events twice", () => {
    const log = open();
    fill(log, 10);
    const epoch = log.epoch;
    log.close();
    const [file = ""] = readdirSync(directory).filter(name => name.endsWith(".log"));
    const bytes = readFileSync(join(directory, file));
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    writeFileSync(join(directory, file), bytes);
    const again = open();
    expect(again.epoch).not.toBe(epoch);
    expect(again.nextOffset).toBe(1);
  });

  test("a damaged file that is not the last is given up with those before it", () => {
    const log = open({ segmentBytes: 2000 });
    fill(log, 300);
    const epoch = log.epoch;
    log.close();
    const files = readdirSync(directory)
      .filter(name => name.endsWith(".log"))
      .sort();
    truncateSync(join(directory, files[1] ?? ""), 100);
    const again = open({ segmentBytes: 2000 });
    expect(again.epoch).toBe(epoch);
    expect(again.firstOffset).toBe(Number(files[2]?.slice(7, 23)));
    expect(readAll(again, again.firstOffset)).toEqual(range(again.firstOffset, 300));
  });

  test("after another start of the machine, an unclean log begins a new epoch unless each flush was synced", () => {
    const log = open();
    fill(log, 3);
    const meta = JSON.parse(readFileSync(join(directory, "log.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(join(directory, "log.json"), JSON.stringify({ ...meta, boot: "123" }));
    const synced = open({ durability: "full" });
    expect(synced.epoch).toBe(log.epoch);
    writeFileSync(join(directory, "log.json"), JSON.stringify({ ...meta, boot: "123" }));
    expect(open().epoch).not.toBe(log.epoch);
  });

  test("a disk that fails is left: events go on in memory, in a new epoch, and readers are told", () => {
    const broken: EventStore = {
      epoch: "old",
      firstOffset: 1,
      nextOffset: 1,
      append: () => {
        throw new Error("no space");
      },
      read: () => [],
      close() {},
    };
    const log = createEventLog()({ ...components, store: broken });
    let told = 0;
    log.onEpoch(phase => (told += phase === "after" ? 1 : 0));
    log.append("a", {});
    log.commit();
    log.append("a", {});
    expect(told).toBe(1);
    expect(log.epoch).not.toBe("old");
    expect(readAll(log, 1)).toEqual([1, 2]);
  });

  test("a directory that cannot be used is a typed error", () => {
    writeFileSync(join(directory, "file"), "");
    expect(() => openFileStore({ directory: join(directory, "file", "x") }, silentLogger)).toThrow(
      expect.objectContaining({ code: "STORAGE_FAILED" }),
    );
  });

  test("whatever a file holds, opening it gives a log that can be written and read", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), (noise, events) => {
        rmSync(directory, { recursive: true, force: true });
        const log = open();
        fill(log, events);
        const [file = ""] = readdirSync(directory).filter(name => name.endsWith(".log"));
        appendFileSync(join(directory, file), noise);
        const again = open();
        fill(again, 2);
        expect(readAll(again, again.firstOffset)).toEqual(range(again.firstOffset, again.nextOffset - 1));
      }),
      { numRuns: 50 },
    );
  });

  test("killed while it writes, it has every event that anybody was told of", async () => {
    const module = JSON.stringify(new URL("../index.ts", import.meta.url).href);
    const core = JSON.stringify(new URL("../../core/index.ts", import.meta.url).href);
    const script = `
      import { createEventLog, openFileStore } from ${module};
      import { noMetrics, silentLogger, systemClock } from ${core};
      const store = openFileStore({ directory: process.argv[1] }, silentLogger);
      const log = createEventLog()({ clock: systemClock, log: silentLogger, metrics: noMetrics, store });
      console.log(log.epoch);
      for (let n = 1; ; n += 1) {
        log.append("t", { n });
        if (n % 50 === 0) { log.commit(); process.stdout.write(n + "\\n"); await new Promise(setImmediate); }
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let told = "";
    for await (const chunk of child.stdout) {
      told += String(chunk);
      if (told.split("\n").length > 40) break;
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    const [epoch = "", ...counts] = told.trim().split("\n");
    const last = Number(counts.at(-2));
    const log = open();
    expect(log.epoch).toBe(epoch);
    expect(log.nextOffset).toBeGreaterThan(last);
    expect(readAll(log, 1)).toEqual(range(1, log.nextOffset - 1));
    log.close();
  });
});
