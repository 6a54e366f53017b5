import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe } from "vitest";
import { openDatabase } from "../../src/store/index.ts";
import { databaseSuite } from "../suites/database.ts";

describe("a SQLite database", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cidcast-sqlite-"));
    return () => rmSync(directory, { recursive: true, force: true });
  });
  databaseSuite(migrations => openDatabase({ file: join(directory, "node.db"), migrations }));
});
