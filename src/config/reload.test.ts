import { expect, test } from "vitest";
import { parseConfig } from "./load.ts";
import { OPTIONS } from "./options.ts";
import { configChanges, RELOADABLE } from "./reload.ts";

test("what changed is told apart by whether it needs a restart", () => {
  const before = parseConfig({ port: 1, allowedHosts: ["a.example"] });
  const after = parseConfig({ port: 2, allowedHosts: ["b.example"], webrtc: { maxSessions: 7 } });
  expect(configChanges(before, after)).toEqual({
    reloadable: ["allowedHosts", "webrtc.maxSessions"],
    restart: ["port"],
  });
  expect(configChanges(before, before)).toEqual({ reloadable: [], restart: [] });
});

test("every setting that is said to be taken over is one", () => {
  const paths = OPTIONS.map(option => option.path);
  expect([...RELOADABLE].filter(path => !paths.includes(path))).toEqual([]);
});
