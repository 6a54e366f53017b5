import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyCommand } from "./keyboard.ts";

const press = (key: string, held: Partial<Record<"ctrlKey" | "altKey" | "metaKey", boolean>> = {}) => ({
  key,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  ...held,
});

describe("keyCommand", () => {
  it.each([
    [" ", { type: "toggle-play" }],
    ["K", { type: "toggle-play" }],
    ["j", { type: "seek-by", seconds: -10 }],
    ["l", { type: "seek-by", seconds: 10 }],
    ["ArrowLeft", { type: "seek-by", seconds: -5 }],
    ["ArrowUp", { type: "volume-by", step: 0.05 }],
    ["m", { type: "toggle-mute" }],
    ["f", { type: "toggle-fullscreen" }],
    ["?", { type: "toggle-help" }],
    ["0", { type: "seek-to-share", share: 0 }],
    ["7", { type: "seek-to-share", share: 0.7 }],
    [",", { type: "step", frames: -1 }],
    [".", { type: "step", frames: 1 }],
    [">", { type: "change-rate", by: 1 }],
    ["[", { type: "mark", point: "start" }],
    ["\\", { type: "mark", point: "none" }],
    ["I", { type: "toggle-picture-in-picture" }],
    ["c", { type: "copy-link" }],
    ["Escape", { type: "close-panels" }],
  ])("maps %s", (key, command) => {
    expect(keyCommand(press(key))).toEqual(command);
  });

  it("leaves shortcuts of browser and system alone", () => {
    for (const held of ["ctrlKey", "altKey", "metaKey"] as const) {
      expect(keyCommand(press("f", { [held]: true }))).toBeUndefined();
    }
  });

  it("answers any other key with nothing, also names of object members", () => {
    for (const key of ["constructor", "toString", "__proto__", "F5", "Tab", "q", "½"]) {
      expect(keyCommand(press(key))).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), key => void keyCommand(press(key))));
  });
});
