import { describe, expect, test } from "vitest";
import { ownerPrincipal } from "../../core/index.ts";
import { isLoopback, sameKey } from "../tokens/admin-key.ts";
import { MAX_BUCKETS, MAX_SESSIONS_PER_TENANT } from "../limits.ts";
import { Buckets } from "../quotas/buckets.ts";
import { startTestTenancy } from "../testing.ts";
import { VirtualClock } from "../../core/index.ts";

describe("quotas", () => {
  test("that could not be read again are not stored", async () => {
    await using t = await startTestTenancy();
    const { id } = await t.tenancy.tenants.create({ name: "A", quotas: { viewers: 3 } });
    for (const quotas of [{ requests_per_minute: 1e9 }, { viewers: -1 }, { wrong: 1 } as never]) {
      const refused = { code: "INVALID_REQUEST" };
      await expect(t.tenancy.tenants.setQuotas(id, quotas)).rejects.toMatchObject(refused);
      await expect(t.tenancy.tenants.create({ name: "B", quotas })).rejects.toMatchObject(refused);
    }
    expect((await t.tenancy.tenants.get(id)).quotas).toEqual({ viewers: 3 });
  });

  test("requests, leases, bytes and storage end at the tenant's own limits; the owner has none", async () => {
    await using t = await startTestTenancy();
    const { id } = await t.tenancy.tenants.create({
      name: "A",
      quotas: { requests_per_minute: 2, viewers: 1, egress_bytes_per_day: 100, storage_bytes: 10 },
    });
    const { quotas } = t.tenancy;
    const reached = expect.objectContaining({ code: "LIMIT_REACHED" });
    quotas.takeRequest(id);
    quotas.takeRequest(id);
    expect(() => quotas.takeRequest(id)).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", retryAfterSeconds: 30 }),
    );
    t.clock.advance(30_000);
    quotas.takeRequest(id);
    const lease = quotas.lease(id, "viewers");
    expect(() => quotas.lease(id, "viewers")).toThrow(reached);
    lease[Symbol.dispose]();
    lease[Symbol.dispose]();
    quotas.lease(id, "viewers");
    quotas.addEgress(id, 100);
    expect(() => quotas.addEgress(id, 1)).toThrow(reached);
    t.clock.advance(24 * 60 * 60 * 1000);
    quotas.addEgress(id, 1);
    expect(() => quotas.checkStorage(id, 5, 6)).toThrow(reached);
    quotas.checkStorage(id, 5, 5);
    for (let n = 0; n < 10_000; n++) quotas.takeRequest(undefined);
    quotas.addEgress(undefined, Number.MAX_SAFE_INTEGER);
    quotas.lease(undefined, "jobs")[Symbol.dispose]();
    await t.tenancy.tenants.setQuotas(id, { requests_per_minute: 1000 });
    for (let n = 0; n < 500; n++) quotas.takeRequest(id);
  });

  test("no more keys than the limit are remembered", () => {
    const buckets = new Buckets(new VirtualClock());
    for (let n = 0; n <= MAX_BUCKETS; n++) buckets.take(`${n}`, { capacity: 1, perSecond: 1 });
    expect(buckets.size).toBe(MAX_BUCKETS);
  });
});

describe("sessions", () => {
  test("are listed while open, counted after, and kept per tenant", async () => {
    await using t = await startTestTenancy();
    const { token, tenantId } = await t.tenant("A", []);
    const principal = await t.tenancy.resolveToken(token, { door: "ws" });
    const session = t.tenancy.sessions.open(principal, "websocket");
    session.identify("agent");
    const other = t.tenancy.sessions.open(ownerPrincipal, "stdio");
    expect(t.tenancy.sessions.active(tenantId)).toMatchObject([{ id: session.id, clientName: "agent" }]);
    expect(t.tenancy.sessions.active()).toHaveLength(2);
    session.close();
    session.close();
    expect(await t.tenancy.sessions.counts(tenantId)).toEqual({ total: 1, active: 0 });
    expect(await t.tenancy.sessions.counts()).toEqual({ total: 2, active: 1 });
    const [summary] = (await t.tenancy.tenants.list()).tenants;
    expect(summary).toMatchObject({ activeTokens: 1, activeSessions: 0 });
    other.close();
    for (let n = 0; n < MAX_SESSIONS_PER_TENANT; n++) t.tenancy.sessions.open(principal, "websocket");
    expect(() => t.tenancy.sessions.open(principal, "websocket")).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED" }),
    );
  });

  test("what a crash left open is closed at the next start", async () => {
    await using t = await startTestTenancy();
    t.tenancy.sessions.open(ownerPrincipal, "stdio");
    await t.tenancy.sessions.counts();
    await using again = await startTestTenancy({ database: t.database });
    expect(await again.tenancy.sessions.counts()).toEqual({ total: 1, active: 0 });
  });
});

describe("content of tenants", () => {
  test("is there for who put it in, and for others as if nobody had it", async () => {
    await using t = await startTestTenancy();
    const [a, b] = [await t.tenant("A", []), await t.tenant("B", [])];
    const asA = await t.tenancy.resolveToken(a.token, { door: "http" });
    const asB = await t.tenancy.resolveToken(b.token, { door: "http" });
    const { content } = t.tenancy;
    const thing = { cid: "bafy1", name: "A 100% film.mp4", size: 7, contentType: "video/mp4" };
    await content.grant(a.tenantId, thing);
    expect([await content.mayRead(asA, "bafy1"), await content.mayRead(asB, "bafy1")]).toEqual([true, false]);
    expect(await content.mayRead(ownerPrincipal, "bafy1")).toBe(true);
    const told = async (cid: string) =>
      content.requireRead(asB, cid).catch((error: Error) => error.message.replace(cid, "CID"));
    expect(await told("bafy1")).toBe(await told("bafy2"));
    await content.grant(b.tenantId, { ...thing, name: "B.mp4" });
    expect((await content.list(a.tenantId, { search: "100%", limit: 9, offset: 0 })).total).toBe(1);
    expect((await content.list(b.tenantId, { search: "100%", limit: 9, offset: 0 })).total).toBe(0);
    expect((await content.list(b.tenantId, { limit: 9, offset: 0 })).records).toMatchObject([
      { name: "B.mp4" },
    ]);
    expect(await content.usedBytes(a.tenantId)).toBe(7);
    expect(await content.revoke(a.tenantId, "bafy1")).toBe(false);
    await expect(content.revoke(a.tenantId, "bafy1")).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    expect(await content.revoke(b.tenantId, "bafy1")).toBe(true);
  });
});

describe("the admin key", () => {
  test("is compared whole", () => {
    expect([sameKey("a", "a"), sameKey("a", "b"), sameKey("", "b"), sameKey("ab", "a")]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("loopback is told from what only looks like it", () => {
    const yes = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"];
    const no = [undefined, "", "10.0.0.1", "127.0.0.1.example.org", "::", "::ffff:10.0.0.1", "1127.0.0.1"];
    expect(yes.map(isLoopback)).toEqual(yes.map(() => true));
    expect(no.map(isLoopback)).toEqual(no.map(() => false));
  });
});
