import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseControlEvent } from "./control-messages.ts";

describe("parseControlEvent", () => {
  it("reads what a node says, with fields it does not know", () => {
    const state = { type: "state", state: "playing", positionSeconds: 1.5, durationSeconds: 20, loop: false };
    expect(parseControlEvent(JSON.stringify({ ...state, weather: 1 }))).toEqual(state);
    expect(parseControlEvent('{"type":"position","positionSeconds":2}')).toEqual({
      type: "position",
      positionSeconds: 2,
    });
  });

  it("reads errors by their code, and those of a newer node as INTERNAL", () => {
    const read = (code: string) => parseControlEvent(JSON.stringify({ type: "error", code, message: "m" }));
    expect(read("CORRUPT_MEDIA")).toMatchObject({ error: { code: "CORRUPT_MEDIA", message: "m" } });
    expect(read("FROM_THE_FUTURE")).toMatchObject({ error: { code: "INTERNAL", message: "m" } });
  });

  it("takes anything else for nothing", () => {
    for (const text of [
      "",
      "[]",
      "null",
      "{}",
      '{"type":"state"}',
      '{"type":"position","positionSeconds":-1}',
      5,
    ]) {
      expect(parseControlEvent(text)).toBeUndefined();
    }
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), text => void parseControlEvent(text)));
  });
});
