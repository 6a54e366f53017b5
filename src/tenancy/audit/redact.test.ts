import { expect, test } from "vitest";
import { MAX_AUDIT_DEPTH, MAX_AUDIT_ENTRIES, MAX_AUDIT_TEXT } from "../limits.ts";
import { redactArguments } from "./redact.ts";

const redacted = (value: unknown): unknown => JSON.parse(redactArguments(value));

test("arguments are kept up to a length of text, a number of entries and a depth", () => {
  const kept = "a".repeat(MAX_AUDIT_TEXT);
  expect(redacted({ text: kept })).toEqual({ text: kept });
  const { text } = redacted({ text: `${kept}b` }) as { text: string };
  expect(text).not.toContain("b");
  const list = Array.from({ length: MAX_AUDIT_ENTRIES + 3 }, (_, n) => n);
  expect(redacted({ list })).toEqual({ list: [...list.slice(0, MAX_AUDIT_ENTRIES), "[3 more]"] });
  const object = Object.fromEntries(list.map(n => [`k${n}`, n]));
  expect(Object.keys(redacted(object) as object)).toHaveLength(MAX_AUDIT_ENTRIES);
  let deep: unknown = "bottom";
  for (let n = 0; n <= MAX_AUDIT_DEPTH; n++) deep = { deep };
  expect(redactArguments(deep)).toContain("[deeper]");
  expect(redactArguments(deep)).not.toContain("bottom");
});
