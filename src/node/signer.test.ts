import { publicKeyFromProtobuf } from "@libp2p/crypto/keys";
import { expect, test } from "vitest";
import { openDatabase } from "../store/index.ts";
import { createNodeSigner, type PeerTables, peerMigrations, signerOf } from "../p2p/index.ts";

test("what is signed is signed by the key that stays", async () => {
  await using database = await openDatabase({ file: ":memory:", migrations: [...peerMigrations] });
  const bytes = Uint8Array.of(1, 2, 3);
  const first = await createNodeSigner(database.tables<PeerTables>()).sign(bytes);
  const second = await createNodeSigner(database.tables<PeerTables>()).sign(Uint8Array.of(4));
  expect(second.publicKey).toEqual(first.publicKey);
  expect(await signerOf({ bytes, ...first })).toMatch(/^12D3KooW/);
  expect(await signerOf({ bytes: Uint8Array.of(9), ...first })).toBeUndefined();
  expect(await signerOf({ bytes, ...first, publicKey: Uint8Array.of(1) })).toBeUndefined();
  const key = publicKeyFromProtobuf(first.publicKey);
  expect([
    await key.verify(bytes, first.signature),
    await key.verify(Uint8Array.of(9), first.signature),
  ]).toEqual([true, false]);
});
