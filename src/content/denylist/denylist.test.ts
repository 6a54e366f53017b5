import { createHash } from "node:crypto";
import { base58btc } from "multiformats/bases/base58";
import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import { describe, expect, test } from "vitest";
import { noMetrics } from "../../core/index.ts";
import { parseRef } from "../dag/cid.ts";
import { MAX_DENYLIST_LINE_LENGTH } from "../limits.ts";
import { ContentDenylist } from "./denylist.ts";

/** The examples of the format's specification, as far as a node that resolves no names has to do with them. */
const LIST = `version: 1
name: a list
hints:
  gateway_status: 410
---
# by CID
/ipfs/bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq

/ipfs/QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8/* reason=all
/ipfs/Qmah2YDTfrox4watLCr3YgKyBwvjq8FJZEFdWY6WtJ3Xt2/test*
/ipfs/QmTuvSQbEDR3sarFAN9kAeXBpiBCyYYNxdxciazBba11eC/te%20st/*
/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blocked*
!/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blockednot
!/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blocked/not
+/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blocked/exceptions*
/ipns/domain.example
//d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7
//3f8b9febd851873b3774b937cce126910699ceac56e72e64b866f8e258d09572
//QmX9dhRcQcKUw3Ws8485T5a9dtjrSCQaUAHnG4iK9i4ceM
`;

function listOf(text: string): ContentDenylist {
  const list = new ContentDenylist(noMetrics);
  list.replace([{ name: "test", text }]);
  return list;
}

const isBlocked = (list: ContentDenylist, ref: string): boolean => {
  const { cid, path } = parseRef(ref);
  return list.has(cid, path.join("/"));
};

describe("a denylist in the compact format", () => {
  const list = listOf(LIST);

  test.each([
    // The same multihash under every codec and version.
    "bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
    "bafkreihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
    "QmesfgDQ3q6prBy2Kg2gKbW4MAGuWiRP2DVuGA5MZSERLo",
    "QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8",
    "QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8/any/path",
    "Qmah2YDTfrox4watLCr3YgKyBwvjq8FJZEFdWY6WtJ3Xt2/test",
    "Qmah2YDTfrox4watLCr3YgKyBwvjq8FJZEFdWY6WtJ3Xt2/testing/it",
    "QmTuvSQbEDR3sarFAN9kAeXBpiBCyYYNxdxciazBba11eC/te st/a",
    "QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blocked/a",
    "bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e",
    "bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e/path",
    "QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR",
    "bafybeidjwik6im54nrpfg7osdvmx7zojl5oaxqel5cmsz46iuelwf5acja",
  ])("holds %s", ref => {
    expect(isBlocked(list, ref)).toBe(true);
    expect(() => list.checkRef(ref)).toThrow(expect.objectContaining({ code: "CONTENT_BLOCKED" }));
  });

  test.each([
    "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
    "Qmah2YDTfrox4watLCr3YgKyBwvjq8FJZEFdWY6WtJ3Xt2",
    "Qmah2YDTfrox4watLCr3YgKyBwvjq8FJZEFdWY6WtJ3Xt2/tes",
    "QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blockednot",
    "QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blocked/not",
    "QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blocked/exceptions1",
    "bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e/path2",
  ])("does not hold %s", ref => {
    expect(isBlocked(list, ref)).toBe(false);
    expect(() => list.checkRef(ref)).not.toThrow();
  });

  test("counts the last rule that fits, also over several lists, and only rules it can follow", () => {
    const cid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
    const lists = new ContentDenylist(noMetrics);
    const told = lists.replace([
      { name: "one", text: `/ipfs/${cid}\nnonsense\n/ipfs/nocid` },
      { name: "two", text: `!/ipfs/${cid}` },
    ]);
    expect(isBlocked(lists, cid)).toBe(false);
    expect(lists.size).toBe(2);
    expect(told[0]?.bad.map(({ line }) => line)).toEqual([2, 3]);
    lists.replace([{ name: "one", text: `/ipfs/${cid}` }]);
    expect(isBlocked(lists, cid)).toBe(true);
  });

  test("hides rules by other hash functions, and tells of those it cannot compute", () => {
    const cid = CID.parse("QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR");
    const digest = createHash("sha512").update(`${cid.toString()}/a`).digest();
    const hidden = base58btc.baseEncode(create(0x13, digest).bytes);
    const blake3 = base58btc.baseEncode(create(0x1e, new Uint8Array(32)).bytes);
    const lists = new ContentDenylist(noMetrics);
    const [told] = lists.replace([{ name: "hidden", text: `//${hidden}\n//${blake3}\n` }]);
    expect(told?.bad).toMatchObject([{ line: 2, reason: expect.stringContaining("0x1e") }]);
    expect([lists.has(cid, "a"), lists.has(cid, "b"), lists.has(cid)]).toEqual([true, false, false]);
  });

  test("passes over a line that is too long, and tells of it", () => {
    const lists = new ContentDenylist(noMetrics);
    const [rule = ""] = /^\/\/d9.*$/m.exec(LIST) ?? [];
    const padded = (length: number): string => rule + " ".repeat(length - rule.length);
    const text = `${padded(MAX_DENYLIST_LINE_LENGTH)}\n${padded(MAX_DENYLIST_LINE_LENGTH + 1)}\n`;
    const [told] = lists.replace([{ name: "test", text }]);
    expect([lists.size, told?.bad]).toEqual([1, [{ line: 2, reason: "the line is too long" }]]);
  });

  test("refuses another version, and stays as it was", () => {
    const lists = listOf(LIST);
    const { size } = lists;
    expect(() => lists.replace([{ name: "new", text: "version: 2\n---\n" }])).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
    expect(lists.size).toBe(size);
  });
});
