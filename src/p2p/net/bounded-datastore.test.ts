import { Key } from "interface-datastore";
import { expect, test } from "vitest";
import { MAX_DHT_RECORD_BYTES, MAX_DHT_RECORDS } from "../limits.ts";
import { createDhtDatastore } from "./bounded-datastore.ts";

test("what others put into a DHT fills a bounded memory, the oldest goes first", async () => {
  const store = createDhtDatastore();
  const value = new Uint8Array(8);
  for (let i = 0; i <= MAX_DHT_RECORDS; i++) await store.put(new Key(`/dht/provider/${i}`), value);
  expect(await store.has(new Key("/dht/provider/0"))).toBe(false);
  expect(await store.has(new Key(`/dht/provider/${MAX_DHT_RECORDS}`))).toBe(true);
  let count = 0;
  for await (const _ of store.query({})) count++;
  expect(count).toBe(MAX_DHT_RECORDS);
  await store.delete(new Key("/dht/provider/5"));
  expect(await store.has(new Key("/dht/provider/5"))).toBe(false);
  await expect(async () =>
    store.put(new Key("/dht/record/large"), new Uint8Array(MAX_DHT_RECORD_BYTES + 1)),
  ).rejects.toThrow("at most");
});
