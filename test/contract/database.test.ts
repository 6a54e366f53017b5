import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe } from "vitest";
import { type Migration, openDatabase } from "../../src/store/index.ts";
import { databaseSuite } from "../suites/database.ts";
import { migrationSuite } from "../suites/migrations.ts";

describe("a SQLite database", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cidcast-sqlite-"));
    return () => rmSync(directory, { recursive: true, force: true });
  });
  const open = (migrations: readonly Migration[]) =>
    openDatabase({ file: join(directory, "node.db"), migrations });
  describe("does what every database does:", () => {
    databaseSuite(open);
  });
  describe("of an earlier version", () => {
    migrationSuite(open);
  });
});
