import { MemoryDatastore } from "datastore-core";
import { Key } from "interface-datastore";
import { expect, test } from "vitest";
import { MAX_PEER_BOOK } from "../limits.ts";
import { PeerBook } from "./peer-book.ts";

const VALUE = new Uint8Array(8);
const keyOf = (n: number): Key => new Key(PeerBook.keyOf(`peer-${n}`));

async function namesOf(book: PeerBook): Promise<number> {
  let count = 0;
  for await (const _ of book.queryKeys({ prefix: "/peers/" })) count++;
  return count;
}

test("an address book keeps a bounded number of peers, over restarts too, and whoever is connected", async () => {
  const inner = new MemoryDatastore();
  const before = new PeerBook(inner);
  await before.put(new Key("/self"), VALUE);
  for (let n = 0; n < MAX_PEER_BOOK; n++) await before.put(keyOf(n), VALUE);
  const connected = keyOf(1).toString();
  const book = new PeerBook(inner, key => key === connected);
  // Written about anew: not the oldest any more.
  await book.put(keyOf(0), VALUE);
  for (let n = 0; n < 3; n++) await book.put(keyOf(MAX_PEER_BOOK + n), VALUE);
  expect(await namesOf(book)).toBe(MAX_PEER_BOOK);
  const kept = await Promise.all([0, 1, 2, 3, 4, 5].map(n => book.has(keyOf(n))));
  expect(kept).toEqual([true, true, false, false, false, true]);
  expect(await book.get(new Key("/self"))).toEqual(VALUE);
  await book.delete(keyOf(5));
  await book.put(keyOf(9_999_999), VALUE);
  expect(await namesOf(book)).toBe(MAX_PEER_BOOK);
});
