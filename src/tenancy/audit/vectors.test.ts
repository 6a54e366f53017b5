import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { tokenHash, tokenPrefix } from "../tokens/token-text.ts";
import type { AuditRecord } from "../types.ts";
import { createChainCheck, linkOf } from "./chain.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../../protocols/tenancy/v1/vectors/admin.json", import.meta.url), "utf8"),
) as {
  readonly token_hash: { readonly token: string; readonly hash: string; readonly shown: string };
  readonly audit: { readonly key: string; readonly records: readonly AuditRecord[] };
};

test("a token's hash and what is shown of it are those of earlier versions", () => {
  const { token, hash, shown } = vectors.token_hash;
  expect([tokenHash(token), tokenPrefix(token)]).toEqual([hash, shown]);
});

test("an audit chain of an earlier version is intact, and any change of it shows", () => {
  const { key, records } = vectors.audit;
  const secret = Buffer.from(key, "hex");
  expect(records.map(({ hash: _hash, ...record }) => linkOf(secret, record))).toEqual(
    records.map(record => record.hash),
  );
  const check = createChainCheck(secret);
  expect(records.map(check)).toEqual([undefined, undefined]);
  const [first, second] = records;
  for (const changed of [
    [{ ...first!, arguments: "{}" }, second!],
    [second!, first!],
    [first!, { ...second!, error: "other" }],
  ]) {
    expect(changed.map(createChainCheck(secret)).some(found => found !== undefined)).toBe(true);
  }
});
