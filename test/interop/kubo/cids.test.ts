import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesOf, vectorsSchema } from "../../fixtures/cid-vectors.ts";
import { peerMissing } from "../peers.ts";
import { type Kubo, startKubo } from "./kubo.ts";

const { kuboCommand, vectors } = vectorsSchema.parse(
  JSON.parse(await readFile(new URL("../../fixtures/cid-vectors.json", import.meta.url), "utf8")),
);

describe("the CIDs of content are those of Kubo", () => {
  let kubo: Kubo | undefined;
  let missing = "";
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "cidcast-cids-"));
    const started = await startKubo();
    if ("missing" in started) missing = peerMissing("kubo", started.missing);
    else kubo = started;
  });
  afterAll(async () => {
    await kubo?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test.for(vectors)("$name", async (vector, context) => {
    if (kubo === undefined) {
      context.skip(missing);
      return;
    }
    const place = join(directory, vector.name.replaceAll(/\W+/g, "-"));
    for (const { path, content } of filesOf(vector)) {
      const file = join(place, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
    const command = kuboCommand.split(" ").slice(1);
    const printed = await kubo.ipfs([...command, "--recursive", "--quieter", "--only-hash", place]);
    expect(printed.toString().trim()).toBe(vector.cid);
  });
});
