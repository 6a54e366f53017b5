import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { chatSchema, relaySchema, sessionMessageSchema, signalingSchema } from "./schema.ts";

const vectors = JSON.parse(readFileSync(new URL("vectors/messages.json", import.meta.url), "utf8")) as Record<
  string,
  unknown[]
>;

test.each([
  ["relay", relaySchema],
  ["chat", chatSchema],
  ["signaling", signalingSchema],
  ["session", sessionMessageSchema],
] as const)("every %s message of the vectors fits, and nothing of it is lost", (name, schema) => {
  expect(vectors[name]?.length).toBeGreaterThan(1);
  for (const message of vectors[name] ?? []) expect(schema.parse(message)).toMatchObject(message as object);
});

test("a message of no known type does not fit", () => {
  for (const schema of [relaySchema, chatSchema, signalingSchema]) {
    expect(schema.safeParse({ type: "dance" }).success).toBe(false);
  }
  expect(sessionMessageSchema.safeParse({ session_id: "s" }).success).toBe(false);
});
