import { expect, test } from "vitest";
import { holePunch, knownReachability } from "./peers.ts";

const AT_HOME = { state: "relayed", nat: "endpoint-independent", observed: [], relays: [] } as const;

test.each([
  ["is off", { ...AT_HOME, punches: undefined }, "skipped", "switched off"],
  ["was not tried", { ...AT_HOME, punches: { direct: 0, relayed: 0 } }, "skipped", "not tried"],
  [
    "is not needed",
    { ...AT_HOME, state: "public", punches: { direct: 0, relayed: 0 } },
    "skipped",
    "can be dialled",
  ],
  ["works", { ...AT_HOME, punches: { direct: 2, relayed: 1 } }, "ok", "2 relayed connections"],
  ["does not work", { ...AT_HOME, punches: { direct: 0, relayed: 3 } }, "warn", "None of 3"],
  [
    "cannot work",
    { ...AT_HOME, nat: "endpoint-dependent", punches: { direct: 0, relayed: 3 } },
    "warn",
    "another port",
  ],
] as const)("hole punching that %s is told as such", (_name, known, status, words) => {
  expect(holePunch(known)).toMatchObject({ status, meaning: expect.stringContaining(words) });
});

test("without libp2p there is nothing to tell of", () => {
  expect(holePunch(undefined).status).toBe("skipped");
});

test.each([
  ["public", "ok", "at an address of its own"],
  ["relayed", "warn", "relays alone"],
  ["private", "warn", "behind a NAT"],
] as const)("a peer that knows itself to be %s is told as such", (state, status, words) => {
  expect(knownReachability({ ...AT_HOME, state, punches: undefined })).toMatchObject({
    status,
    meaning: expect.stringContaining(words),
  });
});

test("what the peer does not know is left to its addresses", () => {
  for (const state of ["local", "unknown"] as const)
    expect(knownReachability({ ...AT_HOME, state, punches: undefined })).toBeUndefined();
  expect(knownReachability(undefined)).toBeUndefined();
});
