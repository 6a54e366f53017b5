import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createTenantBody, createTokenBody, SCOPE_NAMES, storeCredentialBody } from "./schema.ts";

interface Vector {
  readonly name: string;
  readonly value: unknown;
  /** What is read; null: it is refused. */
  readonly parsed: unknown;
}

const vectors = JSON.parse(readFileSync(new URL("./vectors/admin.json", import.meta.url), "utf8")) as Record<
  "tenants" | "tokens" | "credentials",
  readonly Vector[]
> & { readonly scopes: readonly string[] };

describe("frozen vectors", () => {
  test.each(vectors.tenants)("a tenant: $name", ({ value, parsed }) => {
    expect(createTenantBody.safeParse(value).data ?? null).toEqual(parsed);
  });

  test.each(vectors.tokens)("a token: $name", ({ value, parsed }) => {
    expect(createTokenBody.safeParse(value).data ?? null).toEqual(parsed);
  });

  test.each(vectors.credentials)("a credential: $name", ({ value, parsed }) => {
    expect(storeCredentialBody.safeParse(value).data ?? null).toEqual(parsed);
  });

  test("scopes have their names and their order", () => {
    expect(vectors.scopes).toEqual(SCOPE_NAMES);
  });
});
