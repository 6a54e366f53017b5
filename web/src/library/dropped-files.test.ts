import { describe, expect, it } from "vitest";
import { droppedFiles } from "./dropped-files.ts";
import { MAX_DROPPED_FILES } from "./limits.ts";

interface FakeEntry {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly file?: (resolve: (file: File) => void) => void;
  readonly createReader?: () => { readEntries(resolve: (entries: FakeEntry[]) => void): void };
}

const fileNamed = (name: string): FakeEntry => ({
  isFile: true,
  isDirectory: false,
  file: resolve => resolve(new File(["x"], name)),
});

/** A folder that is read some entries at a time, as browsers do it. */
const folderOf = (entries: FakeEntry[]): FakeEntry => ({
  isFile: false,
  isDirectory: true,
  createReader() {
    let at = 0;
    return {
      readEntries(resolve) {
        resolve(entries.slice(at, at + 100));
        at += 100;
      },
    };
  },
});

/** What a browser hands over: each folder also stands among the files. */
const dropOf = (entries: (FakeEntry | null)[], files: File[]): DataTransfer =>
  // The parts that are read.
  ({ items: entries.map(entry => ({ webkitGetAsEntry: () => entry })), files }) as unknown as DataTransfer;

describe("droppedFiles", () => {
  it("takes files, and those of folders within folders", async () => {
    const folder = folderOf([fileNamed("a.mp4"), folderOf([fileNamed("b.mp4")])]);
    const drop = dropOf([fileNamed("one.mp4"), folder], [new File(["x"], "one.mp4"), new File([], "folder")]);
    expect((await droppedFiles(drop)).map(file => file.name)).toEqual(["one.mp4", "a.mp4", "b.mp4"]);
  });

  it("takes files that have no entries", async () => {
    expect(await droppedFiles(dropOf([null], [new File(["x"], "made.mp4")]))).toHaveLength(1);
  });

  it("takes no more than its limit", async () => {
    const many = Array.from({ length: MAX_DROPPED_FILES + 50 }, (_, at) => fileNamed(`${at}.mp4`));
    expect(await droppedFiles(dropOf([folderOf(many)], [new File([], "folder")]))).toHaveLength(
      MAX_DROPPED_FILES,
    );
  });
});
