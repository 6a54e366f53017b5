import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NOT_SERVED } from "./not-served.ts";
import { runSuite, type SuiteRun } from "./run-suite.ts";
import { type ConformanceServer, startConformanceServer } from "./server.ts";

/** Fewest scenarios that each run has: a suite that ran nothing has passed nothing. */
const RUNS = [
  ["2025-06-18 and 2025-11-25", "@modelcontextprotocol/conformance", ["--suite", "all"], 32],
  ["2025-11-25, as frozen", "conformance-next", ["--requirements", "2025-11-25"], 30],
  ["2026-07-28, as frozen", "conformance-next", ["--requirements", "2026-07-28"], 37],
] as const;

describe("MCP conformance", () => {
  let server: ConformanceServer;
  beforeAll(async () => {
    server = await startConformanceServer();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test.each(RUNS)("%s: every required scenario passes", async (_, suite, args, least) => {
    const run: SuiteRun = await runSuite(suite, server.url, args);
    const failed = run.outcomes.filter(outcome => outcome.failed > 0 && !(outcome.scenario in NOT_SERVED));
    expect(failed, run.output).toEqual([]);
    expect(run.outcomes.filter(outcome => outcome.failed === 0).length, run.output).toBeGreaterThanOrEqual(
      least,
    );
    const servedNow = run.outcomes.filter(({ scenario, failed: n }) => scenario in NOT_SERVED && n === 0);
    expect(servedNow, "passes now: take it off the list").toEqual([]);
  });

  test("the fixtures are no part of what the product offers", async () => {
    const names = [...server.mcp.definition.tools.keys()];
    expect(names).toContain("test_simple_text");
    const { startTestMcp } = await import("../../../src/mcp/testing.ts");
    await using product = await startTestMcp();
    expect([...product.mcp.definition.tools.keys()]).toEqual([
      "echo",
      "current_time",
      "calculator",
      "system_info",
      "file_operations",
      "web_request",
      "secure_api",
    ]);
  });
});
