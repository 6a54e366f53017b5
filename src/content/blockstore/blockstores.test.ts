import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { base32upper } from "multiformats/bases/base32";
import type { CID } from "multiformats/cid";
import { afterAll } from "vitest";
import { blockstoreSuite } from "../../../test/suites/blockstore.ts";
import { FlatBlockstore } from "./flat-blockstore.ts";
import { MemoryBlockstore } from "./memory-blockstore.ts";
import { PackBlockstore } from "./pack/index.ts";

const directories: string[] = [];
const temporary = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "cidcast-blocks-"));
  directories.push(directory);
  return directory;
};
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** Flips the last bit of a file, or of the block whose multihash stands last in it. */
function flip(file: string, cid?: CID): void {
  const bytes = readFileSync(file);
  const at = cid === undefined ? bytes.length : bytes.lastIndexOf(cid.multihash.bytes) + 34 + 1;
  bytes[at - 1] = (bytes[at - 1] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

blockstoreSuite("MemoryBlockstore", "memory", async () => {
  const store = new MemoryBlockstore();
  return { make: () => store, damage: () => {} };
});

for (const durability of ["process", "full"] as const) {
  blockstoreSuite(`PackBlockstore (${durability})`, "disk", async () => {
    const directory = temporary();
    return {
      // Small packs, so that there are several.
      make: () => new PackBlockstore({ directory, durability, packMaxBytes: 20_000 }),
      damage: cid => {
        for (const name of readdirSync(directory)) {
          const file = join(directory, name);
          if (name.endsWith(".car") && readFileSync(file).includes(cid.multihash.bytes)) flip(file, cid);
        }
      },
    };
  });
}

blockstoreSuite("FlatBlockstore", "disk", async () => {
  const directory = temporary();
  return {
    make: () => new FlatBlockstore({ directory }),
    damage: cid => {
      for (const entry of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
        const file = join(directory, entry);
        if (entry.endsWith(`${base32upper.encode(cid.multihash.bytes)}.data`)) flip(file);
      }
    },
  };
});
