import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  frameSchema,
  isEventType,
  MAX_FILTER_KEYS,
  MAX_TYPES_PER_REQUEST,
  NOTIFICATION_TYPES,
  parsePayload,
  PAYLOADS,
  requestSchema,
} from "./schema.ts";

function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8"));
}

const requests = vectors("requests") as { valid: unknown[]; invalid: unknown[] };

describe("notifications v1", () => {
  test.each(vectors("frames") as { type: string }[])("the frame $type fits", frame => {
    expect(frameSchema.parse(frame)).toEqual(frame);
  });

  test.each(requests.valid)("a request of the vectors fits: %j", request => {
    expect(requestSchema.parse(request)).toEqual(request);
  });

  test.each(requests.invalid)("a request that is wrong does not: %j", request => {
    expect(requestSchema.safeParse(request).success).toBe(false);
  });

  test("every type but all_events has a payload, and no other", () => {
    expect(Object.keys(PAYLOADS).sort()).toEqual(NOTIFICATION_TYPES.filter(isEventType).toSorted());
    expect(() => parsePayload("all_events", {})).toThrow("not a notification type");
    expect(() => parsePayload("toString", {})).toThrow("not a notification type");
    expect(parsePayload("content_removed", { cid: "a", later: 1 })).toEqual({ cid: "a", later: 1 });
  });

  test("a request names so many types and filters and no more", () => {
    const types = (n: number) => ({
      action: "subscribe",
      notification_types: Array.from({ length: n }, () => "x"),
    });
    const filters = (n: number) => ({
      action: "subscribe",
      filters: Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i])),
    });
    expect(requestSchema.safeParse(types(MAX_TYPES_PER_REQUEST)).success).toBe(true);
    expect(requestSchema.safeParse(types(MAX_TYPES_PER_REQUEST + 1)).success).toBe(false);
    expect(requestSchema.safeParse(filters(MAX_FILTER_KEYS)).success).toBe(true);
    expect(requestSchema.safeParse(filters(MAX_FILTER_KEYS + 1)).success).toBe(false);
  });
});
