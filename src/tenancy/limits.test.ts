import { describe, expect, test } from "vitest";
import {
  DEFAULT_EGRESS_BYTES_PER_DAY,
  DEFAULT_JOBS,
  DEFAULT_REQUESTS_PER_MINUTE,
  DEFAULT_STORAGE_BYTES,
  DEFAULT_VIEWERS,
  MAX_CLOSED_SESSIONS,
  MAX_CREDENTIALS_PER_TENANT,
  MAX_LIST_ROWS,
  MAX_SESSIONS,
  MAX_SESSIONS_PER_TENANT,
  MAX_TENANTS,
} from "./limits.ts";
import { startTestTenancy } from "./testing.ts";

const refused = (code: string) => expect.objectContaining({ code });

describe("quotas where nobody has set any", () => {
  test("requests a minute, and how long to wait for the next", async () => {
    await using t = await startTestTenancy();
    const { tenantId } = await t.tenant("A", []);
    const { quotas } = t.tenancy;
    for (let i = 0; i < DEFAULT_REQUESTS_PER_MINUTE; i++) quotas.takeRequest(tenantId);
    expect(() => quotas.takeRequest(tenantId)).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", retryAfterSeconds: expect.any(Number) }),
    );
  });

  test.each([
    ["viewers", DEFAULT_VIEWERS],
    ["jobs", DEFAULT_JOBS],
  ] as const)("%s at a time", async (kind, most) => {
    await using t = await startTestTenancy();
    const { tenantId } = await t.tenant("A", []);
    const held = Array.from({ length: most }, () => t.tenancy.quotas.lease(tenantId, kind));
    expect(() => t.tenancy.quotas.lease(tenantId, kind)).toThrow(refused("LIMIT_REACHED"));
    held[0]?.[Symbol.dispose]();
    t.tenancy.quotas.lease(tenantId, kind)[Symbol.dispose]();
  });

  test("bytes kept, and bytes sent a day", async () => {
    await using t = await startTestTenancy();
    const { tenantId } = await t.tenant("A", []);
    const { quotas } = t.tenancy;
    quotas.checkStorage(tenantId, DEFAULT_STORAGE_BYTES - 1, 1);
    expect(() => quotas.checkStorage(tenantId, DEFAULT_STORAGE_BYTES, 1)).toThrow(refused("LIMIT_REACHED"));
    quotas.addEgress(tenantId, DEFAULT_EGRESS_BYTES_PER_DAY);
    expect(() => quotas.checkEgress(tenantId, 1)).toThrow(refused("LIMIT_REACHED"));
    t.clock.advance(24 * 60 * 60 * 1000);
    quotas.checkEgress(tenantId, 1);
  });
});

describe("what a node keeps of its tenants", () => {
  test("so many tenants, and the newest of them in one answer", async () => {
    await using t = await startTestTenancy();
    const { tenants } = t.tenancy;
    for (let i = 0; i < MAX_TENANTS; i++) await tenants.create({ name: `${i}` });
    await expect(tenants.create({ name: "one more" })).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    const first = await tenants.list({ limit: MAX_LIST_ROWS + 1 });
    expect(first).toMatchObject({ total: MAX_TENANTS });
    expect(first.tenants).toHaveLength(MAX_LIST_ROWS);
    const seen = new Set(first.tenants.map(({ id }) => id));
    for (let { next } = first; next !== undefined; ) {
      const page = await tenants.list({ after: next });
      for (const { id } of page.tenants) seen.add(id);
      ({ next } = page);
    }
    expect(seen.size).toBe(MAX_TENANTS);
  });

  test("so many credentials of a tenant; one can still take the place of another", async () => {
    await using t = await startTestTenancy();
    const { tenantId } = await t.tenant("A", []);
    const { credentials } = t.tenancy;
    const at = (n: number) => ({ tenantId, toolName: "secure_api", credentialKey: `key-${n}` });
    for (let i = 0; i < MAX_CREDENTIALS_PER_TENANT; i++) await credentials.store(at(i), "secret");
    await expect(credentials.store(at(MAX_CREDENTIALS_PER_TENANT), "secret")).rejects.toMatchObject({
      code: "LIMIT_REACHED",
    });
    await credentials.store(at(0), "a newer secret");
    expect(await credentials.list(tenantId)).toHaveLength(MAX_CREDENTIALS_PER_TENANT);
    const { tenantId: other } = await t.tenant("B", []);
    await credentials.store({ ...at(0), tenantId: other }, "secret");
  });

  test("so many open sessions of all tenants, and the last of those that are closed", async () => {
    await using t = await startTestTenancy();
    const { sessions } = t.tenancy;
    const open = [];
    for (let n = 0; n < MAX_SESSIONS; n++) {
      const id = `tenant ${Math.floor(n / MAX_SESSIONS_PER_TENANT)}`;
      open.push(
        sessions.open({ kind: "token", id, door: "ws", scopes: new Set(), tenantId: id }, "websocket"),
      );
    }
    const next = { kind: "token", id: "x", door: "ws", scopes: new Set<string>(), tenantId: "x" } as const;
    expect(() => sessions.open(next, "websocket")).toThrow(refused("BUSY"));
    for (const session of open) session.close();
    const last = sessions.open(next, "websocket");
    for (let n = 0; n < 1000; n++) sessions.open(next, "websocket").close();
    expect(await sessions.counts()).toEqual({ total: MAX_CLOSED_SESSIONS + 1, active: 1 });
    last.close();
  });
});
