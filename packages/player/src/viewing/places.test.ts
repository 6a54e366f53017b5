import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPlaces, EDGE_SECONDS, MAX_PLACES } from "./places.ts";

const memory = (stored?: string) => {
  let text: string | null = stored ?? null;
  const storage = {
    getItem: () => text,
    setItem(_key: string, value: string) {
      text = value;
    },
  };
  return { places: createPlaces(() => storage), text: () => text ?? "" };
};

describe("places", () => {
  it("are kept by CID, and forgotten when told to", () => {
    const { places } = memory();
    places.keep("a", 12.7, 60);
    places.keep("b", 30, 60);
    expect([places.get("a"), places.get("b"), places.get("c")]).toEqual([12, 30, undefined]);
    places.forget("a");
    expect([places.get("a"), places.get("b")]).toEqual([undefined, 30]);
  });

  it("are not kept near the start or the end, or where the duration is not known", () => {
    for (const [seconds, duration] of [
      [EDGE_SECONDS - 0.1, 60],
      [60 - EDGE_SECONDS + 0.1, 60],
      [30, Number.NaN],
    ] as const) {
      const { places } = memory();
      places.keep("a", 30, 60);
      places.keep("a", seconds, duration);
      expect(places.get("a")).toBeUndefined();
    }
  });

  it("are no more than the limit: the one left longest ago goes", () => {
    const { places, text } = memory();
    for (let index = 0; index < MAX_PLACES; index += 1) places.keep(`cid${index}`, 10, 60);
    places.keep("cid0", 20, 60);
    places.keep("one more", 10, 60);
    expect(JSON.parse(text())).toHaveLength(MAX_PLACES);
    expect([places.get("cid0"), places.get("cid1"), places.get("one more")]).toEqual([20, undefined, 10]);
  });

  it("are none where storage is forbidden, or holds anything else", () => {
    const forbidden = createPlaces(() => {
      throw new DOMException("no storage here", "SecurityError");
    });
    forbidden.keep("a", 10, 60);
    expect(forbidden.get("a")).toBeUndefined();
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), stored => {
        const place = memory(stored).places.get("a");
        expect(place === undefined || place > 0).toBe(true);
      }),
    );
  });
});
