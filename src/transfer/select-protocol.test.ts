import { expect, test } from "vitest";
import { SMALL_CONTENT_BYTES, selectProtocol } from "./select-protocol.ts";

test.each([
  ["video/mp4", 10, "high", "webrtc"],
  ["audio/ogg", 10 ** 9, "low", "webrtc"],
  ["Video/MP4", 10, "normal", "webrtc"],
  ["application/json", 10, "high", "websocket"],
  ["application/json", SMALL_CONTENT_BYTES - 1, "high", "websocket"],
  ["application/json", SMALL_CONTENT_BYTES, "high", "libp2p"],
  ["application/json", 10, "normal", "libp2p"],
  ["application/json", 10, "low", "libp2p"],
  ["image/png", 10 ** 9, "high", "libp2p"],
  ["", 0, "high", "websocket"],
] as const)("%s of %i bytes at %s priority goes by %s", (type, size, priority, protocol) => {
  expect(selectProtocol(type, size, priority)).toBe(protocol);
});

test("without a priority nothing is urgent", () => {
  expect(selectProtocol("text/plain", 1)).toBe("libp2p");
});
