import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as api from "./schema.ts";

const accepts = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown): boolean =>
  schema.safeParse(value).success;

describe("limits of requests", () => {
  test("are where they say", () => {
    const text = (length: number) => "x".repeat(length);
    for (const [schema, limit] of [
      [api.cidText, api.MAX_CID_LENGTH],
      [api.nameText, api.MAX_NAME_LENGTH],
      [api.entryPath, api.MAX_PATH_LENGTH],
    ] as const) {
      expect([accepts(schema, text(limit)), accepts(schema, text(limit + 1))]).toEqual([true, false]);
    }
    const search = (length: number) => accepts(api.listQuery, { search: text(length) });
    expect([search(api.MAX_SEARCH_LENGTH), search(api.MAX_SEARCH_LENGTH + 1)]).toEqual([true, false]);
    const address = (length: number) => accepts(api.connectBody, { address: text(length) });
    expect([address(api.MAX_MULTIADDR_LENGTH), address(api.MAX_MULTIADDR_LENGTH + 1)]).toEqual([true, false]);
    for (const schema of [api.listQuery, api.lsQuery]) {
      const limit = (value: number) => accepts(schema, { limit: `${value}` });
      expect([limit(api.MAX_PAGE_SIZE), limit(api.MAX_PAGE_SIZE + 1)]).toEqual([true, false]);
    }
  });

  test("fill in what is not said", () => {
    expect(api.listQuery.parse({})).toEqual({ limit: api.DEFAULT_PAGE_SIZE, offset: 0 });
  });
});

describe("paths in an upload", () => {
  test.each(["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\u0000b", "a\nb"])(
    "%j is refused",
    path => {
      expect(accepts(api.entryPath, path)).toBe(false);
    },
  );

  test("that are accepted never lead out of their directory", () => {
    const part = fc.oneof(fc.constantFrom(".", "..", "", "a", "..."), fc.string());
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), parts => {
        fc.pre(accepts(api.entryPath, parts.join("/")));
        const base = "file:///base/dir/";
        const url = new URL(parts.join("/").split("/").map(encodeURIComponent).join("/"), base);
        expect(url.href.startsWith(base)).toBe(true);
      }),
    );
  });
});

describe("queries", () => {
  test("name nothing that is not known", () => {
    for (const schema of [api.addQuery, api.listQuery, api.lsQuery, api.pinQuery, api.connectBody]) {
      expect(accepts(schema, { address: "x", unknown: "1" })).toBe(false);
    }
  });

  test("of any shape never throw", () => {
    fc.assert(
      fc.property(fc.anything(), value => {
        for (const schema of [
          api.addQuery,
          api.listQuery,
          api.lsQuery,
          api.pinQuery,
          api.connectBody,
          api.errorBody,
        ]) {
          expect(typeof accepts(schema, value)).toBe("boolean");
        }
      }),
    );
  });
});
