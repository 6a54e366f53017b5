import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AUDIT_FLUSH_MS, MAX_AUDIT_ARGUMENTS, MAX_AUDIT_RESULT, MAX_PENDING_CALLS } from "../limits.ts";
import type { TenancyTables } from "../tables/tables.ts";
import { startTestTenancy } from "../testing.ts";
import type { AuditRecord, ToolCall } from "../types.ts";
import { redactArguments, redactResult } from "./redact.ts";

const call = (init: Partial<ToolCall> = {}): ToolCall => ({
  tenantId: "t",
  sessionId: "s",
  caller: "token:1",
  tool: "echo",
  arguments: { message: "hi" },
  result: "hi",
  error: undefined,
  durationMs: 1.5,
  atMs: 1,
  ...init,
});

async function all(records: AsyncIterable<AuditRecord>): Promise<AuditRecord[]> {
  const list: AuditRecord[] = [];
  for await (const record of records) list.push(record);
  return list;
}

describe("audit log", () => {
  test("calls are written together, chained per tenant, newest first in lists", async () => {
    await using t = await startTestTenancy();
    for (let n = 0; n < 120; n++) await t.tenancy.audit.record(call({ arguments: { n } }));
    await t.tenancy.audit.record(call({ tenantId: undefined, tool: "x", error: "failed" }));
    t.clock.advance(AUDIT_FLUSH_MS);
    const records = await all(t.tenancy.audit.export("t"));
    expect(records.map(r => r.seq)).toEqual(Array.from({ length: 120 }, (_, n) => n + 1));
    expect(records[1]?.previousHash).toBe(records[0]?.hash);
    expect((await t.tenancy.audit.recent("t", 2)).map(r => r.arguments)).toEqual(['{"n":119}', '{"n":118}']);
    expect(await t.tenancy.audit.verify("t")).toBeUndefined();
    expect(await t.tenancy.audit.counts()).toEqual({
      total: 121,
      byTool: { echo: { calls: 120, errors: 0 }, x: { calls: 1, errors: 1 } },
    });
    expect((await t.tenancy.audit.counts("t")).total).toBe(120);
  });

  test("a changed, a removed and a swapped record show", async () => {
    await using t = await startTestTenancy();
    for (let n = 0; n < 5; n++) await t.tenancy.audit.record(call({ arguments: { n } }));
    await t.tenancy.audit.flush();
    const db = t.database.tables<TenancyTables>();
    const set = (seq: number, values: Partial<TenancyTables["tenancy_tool_calls"]>) =>
      db.updateTable("tenancy_tool_calls").set(values).where("seq", "=", seq).execute();
    await set(3, { result: "other" });
    expect(await t.tenancy.audit.verify("t")).toEqual({ seq: 3, reason: "changed" });
    await set(3, { result: "hi" });
    expect(await t.tenancy.audit.verify("t")).toBeUndefined();
    await db.deleteFrom("tenancy_tool_calls").where("seq", "=", 2).execute();
    expect(await t.tenancy.audit.verify("t")).toEqual({ seq: 2, reason: "missing" });
  });

  test("when too many calls wait, the next one waits for the disk", async () => {
    await using t = await startTestTenancy();
    for (let n = 0; n <= MAX_PENDING_CALLS; n++) await t.tenancy.audit.record(call());
    const db = t.database.tables<TenancyTables>();
    const rows = await db.selectFrom("tenancy_tool_calls").select("seq").execute();
    expect(rows).toHaveLength(MAX_PENDING_CALLS);
  });
});

describe("redaction", () => {
  test("secrets go by name and by look, also deep inside", () => {
    const json = redactArguments({
      url: "https://user:pw@example.org/?api_key=abc123&x=1",
      headers: {
        Authorization: "Bearer abcdef123456",
        "X-Trace": "cct_0123456789012345678901234567890123456789012",
      },
      data: [{ password: "hunter2", nested: { note: "use bearer zzzzzzzzzz now" } }],
    });
    for (const secret of ["abc123", "pw@", "abcdef123456", "cct_0", "hunter2", "zzzzzzzzzz"]) {
      expect(json).not.toContain(secret);
    }
    expect(json).toContain("x=1");
  });

  test("whatever is given, what is kept is JSON within its limit", () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 12 }), value => {
        const json = redactArguments(value);
        JSON.parse(json);
        expect(json.length).toBeLessThanOrEqual(MAX_AUDIT_ARGUMENTS * 2);
      }),
      { numRuns: 200 },
    );
    expect(redactArguments({ a: Array.from({ length: 100 }, () => "x".repeat(300)) }).length).toBeLessThan(
      MAX_AUDIT_ARGUMENTS,
    );
    expect(redactResult("y".repeat(MAX_AUDIT_RESULT + 1))).toMatch(/y… \(2049 characters\)$/);
  });
});
