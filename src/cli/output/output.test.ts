import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorLine, formatBytes, printable, table } from "./output.ts";
import { progressLine } from "./progress.ts";

describe("output", () => {
  test("an error is one line whatever its message holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), message => {
        const line = errorLine({ code: "INTERNAL", message, details: undefined }, false);
        expect(line).not.toMatch(/\p{Cc}/u);
        expect(line.endsWith("[INTERNAL]")).toBe(true);
      }),
    );
  });

  test("text of others keeps its letters and loses its controls", () => {
    expect(printable("ü→😀\u001b[31m\u0007")).toBe("ü→😀\u{fffd}[31m\u{fffd}");
  });

  test("columns line up and end without blanks", () => {
    expect(
      table([
        ["a", "bb", ""],
        ["ccc", "d", "e"],
      ]),
    ).toBe("a    bb\nccc  d   e");
    expect(table([])).toBe("");
  });

  test("bytes read as people say them", () => {
    expect([0, 1023, 1024, 1536, 5 * 1024 ** 3].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "5.0 GiB",
    ]);
  });

  test("the bar shows the share, and never more than all", () => {
    expect(progressLine("x", 50, 100, 10)).toBe("████████████░░░░░░░░░░░░  50%  50 B of 100 B  10 B/s  x");
    expect(progressLine("x", 200, 100, 10)).toContain("100%");
    expect(progressLine("x", 50, undefined, 10)).toBe("x  50 B  10 B/s");
  });
});
