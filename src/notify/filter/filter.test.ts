import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCidcastError } from "../../core/index.ts";
import {
  MAX_FILTER_DEPTH,
  MAX_FILTER_PATH,
  MAX_FILTER_TERMS,
  MAX_FILTERED_CHARS,
  MAX_GLOB_STARS,
} from "../limits.ts";
import type { LogEvent } from "../types.ts";
import { globTest } from "./glob.ts";
import { compileFilter, equalityFilter } from "./index.ts";

const event: LogEvent = {
  offset: 7,
  topic: "content_added",
  data: { cid: "bafyabc", size: 1500, name: "it's.mp4", nested: { deep: true }, none: null },
  atMs: 1_000_500,
  source: "add",
  tenantId: "t1",
};

/** What becomes of a text: what kind of value its filter gives, or the code it is refused with. */
function outcome(text: string): string {
  try {
    return typeof compileFilter(text)(event);
  } catch (error) {
    return isCidcastError(error) ? error.code : String(error);
  }
}

describe("equality", () => {
  test.each([
    [{ cid: "bafyabc" }, true],
    [{ cid: "other" }, false],
    [{ absent: 1 }, true],
    [{ "data.nested.deep": true }, true],
    [{ "data.absent": 1 }, false],
    [{ "data.none": null }, true],
    [{ cid: "bafyabc", size: 2 }, false],
    [{ "source.x": 1 }, false],
    [{}, true],
  ])("%j", (filters, taken) => {
    expect(equalityFilter(filters)(event)).toBe(taken);
  });
});

describe("expressions", () => {
  test.each([
    [`type == "content_added"`, true],
    [`notification_type == 'content_removed'`, false],
    [`cid ^= "bafy" and size >= 1500`, true],
    [`size < 1500 or size > 1500`, false],
    [`not (size != 1500)`, true],
    [`name ~= "*.mp4"`, true],
    [`name == 'it\\'s.mp4'`, true],
    [`data.nested.deep == true AND nested.deep exists`, true],
    [`absent exists`, false],
    [`absent == 1`, false],
    [`none == null`, true],
    [`source in ("pin", "add", 3)`, true],
    [`tenant == "t1" and offset <= 7 and timestamp > 1000.4`, true],
    [`size > "1"`, false],
    [`cid < "bafyb"`, true],
    [`type == "a" or type == "content_added" and size == 1`, false],
  ])("%s", (text, taken) => {
    expect(compileFilter(text)(event)).toBe(taken);
  });

  test.each([
    "",
    "size",
    "size ==",
    "== 3",
    "size == 3 extra",
    "(size == 3",
    "size in ()",
    "size == 'open",
    "a = 1",
    "1 == 1",
    "size == 3px",
  ])("%j cannot be read, and the error says where", text => {
    expect(() => compileFilter(text)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
  });

  test("every bound is reached", () => {
    const terms = (n: number): string => Array.from({ length: n }, () => "a == 1").join(" or ");
    const nested = (n: number): string => `${"(".repeat(n)}a == 1${")".repeat(n)}`;
    const path = (n: number): string => Array.from({ length: n }, () => "a").join(".");
    const long = (length: number) => ({ ...event, data: { name: "b".repeat(length) } });
    expect(compileFilter('name > "a"')(long(MAX_FILTERED_CHARS))).toBe(true);
    expect(compileFilter('name > "a"')(long(MAX_FILTERED_CHARS + 1))).toBe(false);
    compileFilter(terms(MAX_FILTER_TERMS));
    compileFilter(nested(MAX_FILTER_DEPTH));
    compileFilter(`${path(MAX_FILTER_PATH)} == 1`);
    compileFilter(`a ~= "${"*".repeat(MAX_GLOB_STARS)}"`);
    for (const text of [
      terms(MAX_FILTER_TERMS + 1),
      nested(MAX_FILTER_DEPTH + 1),
      `${path(MAX_FILTER_PATH + 1)} == 1`,
      `a ~= "${"*".repeat(MAX_GLOB_STARS + 1)}"`,
    ]) {
      expect(() => compileFilter(text)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
    }
    expect(compileFilter("name ^= 'x'")({ ...event, data: { name: "x".repeat(5000) } })).toBe(false);
  });

  test("any text compiles or is refused with a code, and a compiled one never throws", () => {
    const word = fc.constantFrom(
      "a",
      "b.c",
      "and",
      "or",
      "not",
      "in",
      "exists",
      "==",
      "~=",
      "(",
      ")",
      ",",
      "1",
      "'x*'",
      "null",
    );
    const texts = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.array(word, { maxLength: 14 }).map(words => words.join(" ")),
    );
    fc.assert(
      fc.property(texts, text => {
        expect(["boolean", "INVALID_REQUEST"]).toContain(outcome(text));
      }),
      { numRuns: 3000 },
    );
  });

  test("a glob agrees with the regular expression it stands for", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
    fc.assert(
      fc.property(letters, text, (pattern, value) => {
        expect(globTest(pattern)(value)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(value));
      }),
    );
  });
});
