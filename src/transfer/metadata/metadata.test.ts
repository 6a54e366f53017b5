import { readFileSync } from "node:fs";
import { signedRecord } from "@cidcast/protocols/ipfs-kit-metadata";
import { expect, test } from "vitest";
import { sql } from "kysely";
import { z } from "zod";
import { systemClock } from "../../core/index.ts";
import { createNodeSigner, type PeerTables, peerMigrations } from "../../p2p/index.ts";
import { type Database, openDatabase } from "../../store/index.ts";
import { MAX_METADATA_RECORDS } from "../limits.ts";
import { transferMigrations } from "../transfers/migrations.ts";
import { createMetadata, type KnownContent, type Metadata } from "./metadata.ts";
import { verifyRecord } from "./signed.ts";

const CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const { records: vectors } = z
  .object({ records: z.array(z.object({ id: z.string(), payload: z.unknown(), signed: signedRecord })) })
  .parse(
    JSON.parse(
      readFileSync(
        new URL("../../../protocols/ipfs-kit-metadata/v1/vectors/records.json", import.meta.url),
        "utf8",
      ),
    ),
  );
const [FIRST, SECOND] = vectors;
if (FIRST === undefined || SECOND === undefined) throw new Error("two records in the vectors");

async function metadata(
  known: Record<string, KnownContent> = {},
): Promise<{ metadata: Metadata; database: Database } & AsyncDisposable> {
  const database = await openDatabase({
    file: ":memory:",
    migrations: [...peerMigrations, ...transferMigrations],
  });
  return {
    database,
    metadata: createMetadata({
      database,
      signer: createNodeSigner(database.tables<PeerTables>()),
      known: async cid => known[cid],
      clock: systemClock,
    }),
    [Symbol.asyncDispose]: () => database.close(),
  };
}

test("the records of the vectors are signed by their author, and have their ids", async () => {
  for (const { id, payload, signed } of vectors) {
    expect(await verifyRecord(signed)).toMatchObject({ id, payload });
  }
});

test("an update names the record it replaces; any other is a conflict that tells what stands", async () => {
  await using r = await metadata();
  await expect(r.metadata.update(SECOND.signed)).rejects.toMatchObject({ code: "CONFLICT" });
  await r.metadata.update(FIRST.signed);
  expect(await r.metadata.update(FIRST.signed)).toMatchObject({ id: FIRST.id });
  await r.metadata.update(SECOND.signed);
  await expect(r.metadata.update(FIRST.signed)).rejects.toMatchObject({
    code: "CONFLICT",
    details: { current: { id: SECOND.id, version: 2 } },
  });
  expect(await r.metadata.query(CID)).toEqual([
    expect.objectContaining({ id: SECOND.id, payload: SECOND.payload, signed: SECOND.signed }),
  ]);
  expect(await r.metadata.query(CID, "12D3KooWJbSpURs9kkA2Wkom9xWZHYTYJ8eG2bwcYHdjxfy1s6Bq")).toEqual([]);
});

test("what was not signed by its author is refused, whatever was changed", async () => {
  await using r = await metadata();
  const { payload, public_key, signature } = FIRST.signed;
  const text = Buffer.from(payload, "base64").toString();
  const changed = Buffer.from(text.replace("Film", "Firm")).toString("base64");
  const bad = [
    { payload: changed, public_key, signature },
    { payload, public_key, signature: SECOND.signed.signature },
    { payload, public_key: Buffer.from("no key").toString("base64"), signature },
  ];
  for (const record of bad) {
    await expect(r.metadata.update(record)).rejects.toMatchObject({ code: "FORBIDDEN" });
  }
  const nothing = Buffer.from("[]").toString("base64");
  await expect(r.metadata.update({ payload: nothing, public_key, signature })).rejects.toMatchObject({
    code: "INVALID_REQUEST",
  });
});

test("what the node knows of its content is its own record; what it publishes stands beside that", async () => {
  const known = { [CID]: { size: 5, contentType: "video/mp4", manifest: undefined } };
  await using r = await metadata(known);
  const [auto] = await r.metadata.query(CID);
  expect(auto?.payload).toMatchObject({ version: 1, replaces: null, size: 5, content_type: "video/mp4" });
  expect(auto?.payload.name).toBeUndefined();
  expect((await r.metadata.query(CID))[0]?.id).toBe(auto?.id);
  const said = await r.metadata.publish(CID, { name: "Film", "x-mood": { calm: true } });
  expect(said.payload).toMatchObject({ version: 2, replaces: auto?.id, name: "Film", size: 5 });
  const next = await r.metadata.publish(CID, { name: null });
  expect(next.payload).toMatchObject({ version: 3, "x-mood": { calm: true } });
  expect(next.payload).not.toHaveProperty("name");
  const [stands] = await r.metadata.query(CID);
  expect(stands?.id).toBe(next.id);
  await expect(r.metadata.publish(CID, { name: "x".repeat(70_000) })).rejects.toMatchObject({
    code: "PAYLOAD_TOO_LARGE",
  });
});

test("one record more than are kept is refused, an update of one that is there is not", async () => {
  await using r = await metadata();
  const db = r.database.tables<PeerTables>();
  const fill = sql`
    INSERT INTO metadata_record (cid, author, id, version, signed)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_METADATA_RECORDS - 1})
    SELECT 'cid' || i, 'author', 'id' || i, 1, '{}' FROM n`;
  await fill.execute(db);
  await r.metadata.update(FIRST.signed);
  await r.metadata.update(SECOND.signed);
  await sql`DELETE FROM metadata_record WHERE cid = ${CID}`.execute(db);
  await sql`INSERT INTO metadata_record (cid, author, id, version, signed) VALUES ('one', 'more', 'id', 1, '{}')`.execute(
    db,
  );
  await expect(r.metadata.update(FIRST.signed)).rejects.toMatchObject({ code: "LIMIT_REACHED" });
});
