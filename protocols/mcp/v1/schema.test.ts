import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  CLOSE_REASONS,
  CLOSE_TOO_LARGE,
  CLOSE_UNAUTHENTICATED,
  MAX_MESSAGE_BYTES,
  MCP_CHANNEL_LABEL,
  RPC_ERRORS,
  rpcRequest,
  toolCallBody,
} from "./schema.ts";

interface Vector {
  readonly name: string;
  readonly valid: boolean;
  readonly value: unknown;
}

const vectors = JSON.parse(
  readFileSync(new URL("./vectors/messages.json", import.meta.url), "utf8"),
) as Record<"requests" | "tool_calls", readonly Vector[]> &
  Record<"codes" | "closing" | "channel_label" | "max_message_bytes", unknown>;

describe("frozen vectors", () => {
  test.each(vectors.requests)("a request: $name", ({ valid, value }) => {
    expect(rpcRequest.safeParse(value).success).toBe(valid);
  });

  test.each(vectors.tool_calls)("a call by its body: $name", ({ valid, value }) => {
    expect(toolCallBody.safeParse(value).success).toBe(valid);
  });

  test("codes, reasons and limits that clients know", () => {
    expect(vectors.codes).toEqual(RPC_ERRORS);
    expect(vectors.closing).toEqual({
      unauthenticated: CLOSE_UNAUTHENTICATED,
      tooLarge: CLOSE_TOO_LARGE,
      reasons: CLOSE_REASONS,
    });
    expect(vectors.channel_label).toBe(MCP_CHANNEL_LABEL);
    expect(vectors.max_message_bytes).toBe(MAX_MESSAGE_BYTES);
  });
});
