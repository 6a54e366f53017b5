import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { controlEvent, MAX_CONTROL_MESSAGE_BYTES, parseControlCommand } from "./schema.ts";

const vectors = JSON.parse(readFileSync(new URL("vectors/commands.json", import.meta.url), "utf8")) as {
  text: string;
  reads?: object;
  code?: string;
}[];

describe("media control v1", () => {
  it.each(vectors)("reads $text", ({ text, reads, code }) => {
    expect(parseControlCommand(text)).toMatchObject(reads ?? { type: "error", code });
  });

  it("refuses a message over the limit", () => {
    const text = `{"type":"pause","x":"${"a".repeat(MAX_CONTROL_MESSAGE_BYTES)}"}`;
    expect(parseControlCommand(text)).toMatchObject({ type: "error", code: "PAYLOAD_TOO_LARGE" });
  });

  it("answers anything with a command or a well-formed error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), text => {
        const command = parseControlCommand(text);
        const wellFormed = command.type !== "error" || controlEvent.safeParse(command).success;
        expect(wellFormed).toBe(true);
      }),
    );
  });
});
