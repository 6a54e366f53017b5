import { describe, expect, it } from "vitest";
import { checkRange, LoopMarks } from "./loop-marks.ts";

describe("LoopMarks", () => {
  it("repeats from the first mark to the second", () => {
    const marks = new LoopMarks();
    expect(marks.mark("start", 2, undefined).change).toBeUndefined();
    expect(marks.mark("end", 5, undefined)).toMatchObject({
      words: "Repeating 0:02 to 0:05",
      change: { range: { startSeconds: 2, endSeconds: 5 } },
    });
  });

  it("moves the end of what is repeated, or begins at the start where nothing is marked", () => {
    const range = { startSeconds: 3, endSeconds: 4 };
    expect(new LoopMarks().mark("end", 9, range).change?.range).toEqual({ startSeconds: 3, endSeconds: 9 });
    expect(new LoopMarks().mark("end", 9, undefined).change?.range?.startSeconds).toBe(0);
  });

  it("is never shorter than nodes repeat", () => {
    expect(() => checkRange({ startSeconds: 1, endSeconds: 1.2 })).toThrow(RangeError);
    expect(() => checkRange({ startSeconds: -1, endSeconds: 2 })).toThrow(RangeError);
    expect(() => checkRange({ startSeconds: 1, endSeconds: 2 })).not.toThrow();
  });

  it("takes no end before the start, and lets go of both", () => {
    const marks = new LoopMarks();
    marks.mark("start", 8, undefined);
    expect(marks.mark("end", 8.1, undefined).change).toBeUndefined();
    expect(marks.mark("none", 8.1, undefined).change).toEqual({ range: undefined });
    expect(marks.mark("end", 9, undefined).change?.range?.startSeconds).toBe(0);
  });
});
