import { describe, expect, test } from "vitest";
import { type Counter, noMetrics } from "../../core/index.ts";
import { declareMetrics } from "../metrics.ts";
import { GopStore, type Stored } from "./gop-store.ts";

/** A store of 100 bytes and what it counted. */
function smallStore() {
  const counts: Record<string, number> = {};
  const counter = (name: string): Counter => ({
    add: (value = 1, labels = {}) => {
      const key = [name, ...Object.values(labels)].join(" ");
      counts[key] = (counts[key] ?? 0) + value;
    },
  });
  const metrics = { ...noMetrics, counter: ({ name }: { readonly name: string }) => counter(name) };
  const store: GopStore<Stored> = new GopStore(
    100,
    declareMetrics(metrics, () => 0),
  );
  return { store, counts };
}

const entry = (byteLength: number): Stored => ({ byteLength });

describe("GopStore", () => {
  test("drops what was used longest ago once it holds more than its limit, and counts it", () => {
    const { store, counts } = smallStore();
    for (const key of ["a", "b", "c"]) store.put(key, entry(30));
    store.get("a");
    store.put("d", entry(30));
    expect(["a", "b", "c", "d"].map(key => store.get(key) !== undefined)).toEqual([true, false, true, true]);
    expect(store.bytes).toBe(90);
    expect(counts["cidcast_gop_store_evictions_total"]).toBe(1);
  });

  test("what grows after it was put counts with its new size", () => {
    const { store } = smallStore();
    const growing = { byteLength: 10 };
    store.put("old", entry(50));
    store.put("growing", growing);
    growing.byteLength = 80;
    store.resize("growing");
    expect([store.get("old"), store.bytes]).toEqual([undefined, 80]);
  });

  test("an entry larger than the whole store is not kept", () => {
    const { store } = smallStore();
    store.put("large", entry(101));
    expect([store.size, store.bytes]).toEqual([0, 0]);
  });

  test("those who ask at once share one load", async () => {
    const { store, counts } = smallStore();
    const loading = Promise.withResolvers<Stored>();
    let loads = 0;
    const load = () => {
      loads += 1;
      return loading.promise;
    };
    const both = [store.load("a", load), store.load("a", load)];
    loading.resolve(entry(10));
    const [first, second] = await Promise.all(both);
    expect(first).toBe(second);
    expect(await store.load("a", load)).toBe(first);
    expect([loads, counts["cidcast_gop_store_requests_total hit"]]).toEqual([1, 1]);
  });

  test("one who gives up does not stop the load for the others", async () => {
    const { store } = smallStore();
    const loading = Promise.withResolvers<Stored>();
    const controller = new AbortController();
    const impatient = store.load("a", () => loading.promise, { signal: controller.signal });
    const patient = store.load("a", () => loading.promise);
    controller.abort(new Error("gone"));
    await expect(impatient).rejects.toThrow("gone");
    loading.resolve(entry(10));
    await expect(patient).resolves.toEqual(entry(10));
  });

  test("a load that fails or finds nothing leaves nothing behind", async () => {
    const { store } = smallStore();
    await expect(store.load("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await store.load("a", async () => undefined)).toBeUndefined();
    expect(store.size).toBe(0);
  });
});
