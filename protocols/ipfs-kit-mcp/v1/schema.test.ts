import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { remoteReply, remoteRequest } from "./schema.ts";

interface Vector {
  readonly name: string;
  readonly valid: boolean;
  readonly value: unknown;
}

const vectors = JSON.parse(
  readFileSync(new URL("./vectors/exchanges.json", import.meta.url), "utf8"),
) as Record<"requests" | "replies", readonly Vector[]>;

describe("frozen vectors", () => {
  test.each(vectors.requests)("a request: $name", ({ valid, value }) => {
    expect(remoteRequest.safeParse(value).success).toBe(valid);
  });

  test.each(vectors.replies)("a reply: $name", ({ valid, value }) => {
    expect(remoteReply.safeParse(value).success).toBe(valid);
  });
});
