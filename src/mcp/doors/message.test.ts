import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import { expect, test } from "vitest";
import { MAX_BATCH, MAX_JSON_DEPTH } from "../limits.ts";
import { parseJson, parseMessages } from "./message.ts";

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

test("a message is so long and nested so deep, and no more", () => {
  expect(Array.isArray(parseJson(nested(MAX_JSON_DEPTH)))).toBe(true);
  expect(() => parseJson(nested(MAX_JSON_DEPTH + 1))).toThrow("Parse error");
  const text = (length: number): string => `"${"a".repeat(length - 2)}"`;
  expect(parseJson(text(MAX_MESSAGE_BYTES))).toHaveLength(MAX_MESSAGE_BYTES - 2);
  expect(() => parseJson(text(MAX_MESSAGE_BYTES + 1))).toThrow("Parse error");
});

test("a batch has one message at least and so many at most", () => {
  const batch = (count: number): string =>
    JSON.stringify(Array.from({ length: count }, (_, id) => ({ jsonrpc: "2.0", id, method: "ping" })));
  expect(parseMessages(batch(MAX_BATCH))).toHaveLength(MAX_BATCH);
  expect(() => parseMessages(batch(MAX_BATCH + 1))).toThrow("Invalid Request");
  expect(() => parseMessages("[]")).toThrow("Invalid Request");
});
