import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { clientMessages, isClientMessageType, TEXTS, welcome } from "./schema.ts";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8"));

describe("signalling v1", () => {
  it("says to the letter what existing clients know", () => {
    const said = {
      welcome: JSON.stringify(welcome("client_1", true)),
      invalidJson: TEXTS.invalidJson,
      unknownType: TEXTS.unknownType("dance"),
      serverError: TEXTS.serverError("oh"),
      answerFailed: TEXTS.answerFailed("pc_1"),
      addTrackFailed: TEXTS.addTrackFailed("pc_1"),
      missingQuality: TEXTS.missingQuality,
      unknownConnection: TEXTS.unknownConnection("pc_1"),
    };
    expect(said).toEqual(read("server"));
  });

  it.each(read("client") as { text: string; accepted: boolean }[])(
    "takes or refuses $text",
    ({ text, accepted }) => {
      const json = JSON.parse(text) as { type: string };
      expect(isClientMessageType(json.type)).toBe(true);
      if (!isClientMessageType(json.type)) return;
      expect(clientMessages[json.type].safeParse(json).success).toBe(accepted);
    },
  );

  it("does not take names that every object has for message types", () => {
    expect(isClientMessageType("constructor")).toBe(false);
    expect(isClientMessageType(undefined)).toBe(false);
  });
});
