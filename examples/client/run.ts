// A program that uses a node: add, list, read a part, pin. `node examples/client/run.ts [http://127.0.0.1:8000]`.
// Without an address it starts a node of its own and checks itself.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CidcastClient, ClientError } from "@cidcast/client";
import { createNode } from "../../src/index.ts";

const dataDir = await mkdtemp(join(tmpdir(), "cidcast-client-"));
const own =
  process.argv[2] === undefined
    ? await createNode({ dataDir, port: 0, sample: false, logLevel: "error" })
    : undefined;
using client = new CidcastClient({ url: process.argv[2] ?? own?.url ?? "" });

const { cid } = await client.add(new Blob(["The quick brown fox"]), { name: "fox.txt" });
console.log(`added ${cid}`);

const { records } = await client.list({ search: "fox" });
assert.equal(records[0]?.cid, cid);

const part = await client.cat(cid, { start: 4, end: 9 });
assert.equal(await new Response(part).text(), "quick");

await client.pin(cid, { name: "kept" });
const pins = await client.pins();
assert.ok(pins.some(pin => pin.cid === cid && pin.name === "kept"));
await client.unpin(cid, { name: "kept" });

try {
  await client.cat("not-a-cid");
  assert.fail("that is no CID");
} catch (error) {
  // Every failure has a code of the wire; branch on it, never on the text.
  assert.ok(error instanceof ClientError);
  assert.equal(error.code, "INVALID_CID");
}

console.log("read, pinned and unpinned");
await own?.stop();
await rm(dataDir, { recursive: true });
