import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { filesOf, vectorsSchema } from "../../../test/fixtures/cid-vectors.ts";
import { noMetrics } from "../../core/index.ts";
import { MemoryBlockstore } from "../blockstore/memory-blockstore.ts";
import { contentMetrics } from "../metrics.ts";
import { BlockSink } from "./block-sink.ts";
import { buildDirectory } from "./directory-builder.ts";
import { DirectoryTree } from "./directory-tree.ts";
import { buildFile } from "./file-builder.ts";
import { CID_PROFILE } from "./profile.ts";

const table = vectorsSchema.parse(
  JSON.parse(readFileSync(new URL("../../../test/fixtures/cid-vectors.json", import.meta.url), "utf8")),
);

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  // Of sizes that do not fit into chunks.
  for (let at = 0; at < bytes.byteLength; at += 100_003) yield bytes.subarray(at, at + 100_003);
}

describe("the CID profile", () => {
  test("is the one the table was made with", () => {
    expect({ profile: table.profile, kuboCommand: table.kuboCommand }).toEqual({
      profile: CID_PROFILE.name,
      kuboCommand: CID_PROFILE.kuboCommand,
    });
    expect(table.vectors.length).toBeGreaterThan(10);
  });

  test.each(table.vectors)("$name", async vector => {
    const sink = new BlockSink(new MemoryBlockstore(), contentMetrics(noMetrics));
    const tree = new DirectoryTree();
    let root;
    for (const { path, content } of filesOf(vector)) {
      root = await buildFile(pieces(content), sink);
      if (vector.kind === "file") continue;
      tree.reserve(path);
      tree.set(path, root);
    }
    if (vector.kind !== "file") root = await buildDirectory(tree, sink);
    await sink.flush();
    expect(root?.cid.toString()).toBe(vector.cid);
  });
});
