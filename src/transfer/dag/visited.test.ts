import { expect, test } from "vitest";
import { CID } from "multiformats/cid";
import { MAX_BLOCKS_PER_REQUEST } from "../limits.ts";
import { Visited } from "./visited.ts";

const cid = CID.parse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy");

test("a node is walked again only for what was not walked before", () => {
  const visited = new Visited();
  expect(visited.enter(cid, { start: 10, end: 20 })).toBe(true);
  expect(visited.enter(cid, { start: 12, end: 20 })).toBe(false);
  expect(visited.enter(cid, { start: 5, end: 12 })).toBe(true);
  expect(visited.enter(cid, { start: 5, end: 20 })).toBe(false);
});

test("a walk ends after the most blocks there may be", () => {
  const visited = new Visited();
  const range = { start: 0, end: 1 };
  for (let i = 0; i < MAX_BLOCKS_PER_REQUEST; i++) visited.enter(cid, range);
  expect(() => visited.enter(cid, range)).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
});
