import { describe, expect, test } from "vitest";
import type { Principal } from "../../core/index.ts";
import { FAILED_ATTEMPT_RECOVERY_MS, MAX_FAILED_ATTEMPTS, MAX_TOKENS_PER_TENANT } from "../limits.ts";
import type { TenancyTables } from "../tables/tables.ts";
import { startTestTenancy } from "../testing.ts";
import { DAY_MS } from "./tokens.ts";

describe("tokens", () => {
  test("the text is shown once, stored nowhere, and resolves to its tenant, scopes and actions", async () => {
    await using t = await startTestTenancy();
    const { tenantId, token, tokenId } = await t.tenant("A", ["basic", "content:read"]);
    expect(token).toMatch(/^cct_[\w-]{43}$/);
    const principal = await t.tenancy.resolveToken(token, { door: "http", tenantId });
    expect(principal).toMatchObject({ kind: "token", id: `token:${tokenId}`, tenantId, door: "http" });
    expect([...principal.scopes]).toEqual(["basic", "content:read", "node:health", "content:list"]);
    const stored = await t.database
      .tables<TenancyTables>()
      .selectFrom("tenancy_tokens")
      .selectAll()
      .execute();
    expect(JSON.stringify(stored)).not.toContain(token.slice(8));
    const [listed] = (await t.tenancy.tokens.list()).tokens;
    expect(listed).toMatchObject({ id: tokenId, prefix: token.slice(0, 8), active: true, tenantName: "A" });
    expect(JSON.stringify(listed)).not.toContain(token);
  });

  test("a wrong token, one of another tenant and an expired one are told apart as clients expect", async () => {
    await using t = await startTestTenancy();
    const a = await t.tenant("A", []);
    const b = await t.tenant("B", []);
    const resolve = (text: string, tenantId?: string) =>
      t.tenancy.resolveToken(text, { door: "ws", tenantId, remoteAddress: "192.0.2.1" });
    const invalid = { code: "UNAUTHENTICATED", message: "Invalid or expired token" };
    await expect(resolve("nonsense")).rejects.toMatchObject(invalid);
    await expect(resolve("x".repeat(10_000))).rejects.toMatchObject(invalid);
    await expect(resolve(a.token, b.tenantId)).rejects.toMatchObject({
      code: "FORBIDDEN",
      message: "Token does not match tenant",
    });
    t.clock.advance(30 * DAY_MS - 1);
    await expect(resolve(a.token, a.tenantId)).resolves.toMatchObject({ tenantId: a.tenantId });
    t.clock.advance(1);
    await expect(resolve(a.token, a.tenantId)).rejects.toMatchObject(invalid);
  });

  test("who guesses has to wait; others do not", async () => {
    await using t = await startTestTenancy();
    const { token } = await t.tenant("A", []);
    const guess = (text: string, remoteAddress: string) =>
      t.tenancy.resolveToken(text, { door: "http", remoteAddress });
    for (let n = 0; n < MAX_FAILED_ATTEMPTS; n++) {
      await expect(guess(`guess-${n}`, "192.0.2.1")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    }
    // Even the right one: otherwise the answer would tell a guesser that it was right.
    const refused = await guess(token, "192.0.2.1").catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "LIMIT_REACHED", retryAfterSeconds: 3 });
    await expect(guess(token, "192.0.2.2")).resolves.toBeDefined();
    t.clock.advance(FAILED_ATTEMPT_RECOVERY_MS);
    await expect(guess(token, "192.0.2.1")).resolves.toBeDefined();
  });

  test("revoking tells who watches before it resolves, and the principal is no longer live", async () => {
    await using t = await startTestTenancy();
    const { token, tokenId } = await t.tenant("A", []);
    const principal = await t.tenancy.resolveToken(token, { door: "ws" });
    const heard: string[] = [];
    t.tenancy.watch(principal, reason => heard.push(reason));
    const stopWatching = t.tenancy.watch(principal, () => heard.push("unwanted"));
    stopWatching();
    const published = t.events.next("token_revoked");
    await t.tenancy.revokeToken(tokenId);
    expect(heard).toEqual(["token_revoked"]);
    expect(await published).toMatchObject({ tokenId });
    expect(t.tenancy.isLive(principal)).toBe(false);
    await expect(t.tenancy.resolveToken(token, { door: "ws" })).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    });
    t.tenancy.watch(principal, reason => heard.push(`late ${reason}`));
    expect(heard).toEqual(["token_revoked", "late token_revoked"]);
    await expect(t.tenancy.revokeToken("no-such")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("expiry is told to watchers at its time, also when a timer cannot hold the wait", async () => {
    await using t = await startTestTenancy();
    const { token, tokenId } = await t.tenant("A", []);
    const principal = await t.tenancy.resolveToken(token, { door: "ws" });
    const heard: string[] = [];
    t.tenancy.watch(principal, reason => heard.push(reason));
    t.clock.advance(30 * DAY_MS - 1);
    expect(heard).toEqual([]);
    expect(t.tenancy.isLive(principal)).toBe(true);
    t.clock.advance(1);
    expect(heard).toEqual(["token_expired"]);
    expect(t.tenancy.isLive(principal)).toBe(false);
    expect((await t.tenancy.tokens.list()).tokens[0]?.id).toBe(tokenId);
  });

  test("switching a tenant off ends all its tokens and nobody else's", async () => {
    await using t = await startTestTenancy();
    const [a, b] = [await t.tenant("A", []), await t.tenant("B", [])];
    const principals: Principal[] = [];
    for (const { token } of [a, b]) principals.push(await t.tenancy.resolveToken(token, { door: "ws" }));
    const heard: string[] = [];
    for (const p of principals) t.tenancy.watch(p, reason => heard.push(`${p.tenantId} ${reason}`));
    await t.tenancy.deactivateTenant(a.tenantId);
    expect(heard).toEqual([`${a.tenantId} tenant_deactivated`]);
    expect(principals.map(p => t.tenancy.isLive(p))).toEqual([false, true]);
    await expect(
      t.tenancy.tokens.create({ tenantId: a.tenantId, scopes: [], expiresInDays: 1 }),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("scopes are checked, and `none` stands for no scope", async () => {
    await using t = await startTestTenancy();
    const { id } = await t.tenancy.tenants.create({ name: "A" });
    const create = (...scopes: string[]) =>
      t.tenancy.tokens.create({ tenantId: id, scopes, expiresInDays: null });
    expect(await create("none", "web", "basic", "web")).toMatchObject({
      scopes: ["basic", "web"],
      expiresAtMs: undefined,
    });
    await expect(create("root")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("a tenant has no more than its number of tokens", async () => {
    await using t = await startTestTenancy();
    const { tenantId, tokenId } = await t.tenant("A", []);
    const db = t.database.tables<TenancyTables>();
    const row = await db.selectFrom("tenancy_tokens").selectAll().executeTakeFirstOrThrow();
    const rows = Array.from({ length: MAX_TOKENS_PER_TENANT - 1 }, (_, n) => ({
      ...row,
      id: `id${n}`,
      hash: `hash${n}`,
    }));
    for (let n = 0; n < rows.length; n += 50) {
      await db
        .insertInto("tenancy_tokens")
        .values(rows.slice(n, n + 50))
        .execute();
    }
    const create = () => t.tenancy.tokens.create({ tenantId, scopes: [], expiresInDays: 1 });
    await expect(create()).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    await t.tenancy.revokeToken(tokenId);
    await expect(create()).resolves.toBeDefined();
  });
});
