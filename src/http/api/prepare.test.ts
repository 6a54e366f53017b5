import { describe, expect, test } from "vitest";
import { CidcastError } from "../../core/index.ts";
import type { Prepare, PrepareJob } from "../../media/index.ts";
import { ask, serve } from "../testing/serve.ts";

const JOB: PrepareJob = {
  id: "job-1",
  cid: "bafyclip",
  presets: ["low"],
  codec: "h264",
  owner: undefined,
  state: "running",
  progress: { percent: 12.5, fps: 80, etaSeconds: 9 },
  result: undefined,
  error: undefined,
  createdAtMs: 1,
  endedAtMs: undefined,
};

function fakePrepare(asked: unknown[]): Prepare {
  const find = (id: string): PrepareJob => {
    if (id !== JOB.id) throw new CidcastError("JOB_NOT_FOUND", `There is no job ${id}`);
    return JOB;
  };
  return {
    submit: async (ref, options) => {
      asked.push([ref, options?.presets]);
      return JOB;
    },
    job: async id => find(id),
    jobs: async () => [JOB],
    cancel: async id => ({ ...find(id), state: "cancelled" }),
    ended: async id => find(id),
    rootOf: async () => undefined,
  };
}

describe("jobs over HTTP", () => {
  test("are made, looked at and cancelled", async () => {
    const asked: unknown[] = [];
    await using server = await serve({}, { prepareFor: () => fakePrepare(asked) });
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ cid: "bafyclip", presets: ["low"] });
    const made = await ask(server, "/api/v0/prepare", { method: "POST", headers, body });
    expect([made.status, made.json()]).toEqual([200, { jobId: "job-1" }]);
    expect(asked).toEqual([["bafyclip", ["low"]]]);
    const { result: _result, error: _error, endedAtMs: _ended, owner: _owner, ...expected } = JOB;
    expect((await ask(server, "/api/v0/jobs/job-1")).json()).toEqual(expected);
    expect((await ask(server, "/api/v0/jobs")).json()).toEqual({ jobs: [expected] });
    const cancelled = await ask(server, "/api/v0/jobs/job-1", { method: "DELETE" });
    expect(cancelled.json()).toMatchObject({ state: "cancelled" });
    const missing = await ask(server, "/api/v0/jobs/other");
    expect([missing.status, missing.json().error.code]).toEqual([404, "JOB_NOT_FOUND"]);
  });

  test.each([
    {},
    { cid: "" },
    { cid: "a", presets: ["huge"] },
    { cid: "a", presets: [] },
    { cid: "a", codec: "vp8" },
    { cid: "a", x: 1 },
  ])("%j is refused", async body => {
    await using server = await serve({}, { prepareFor: () => fakePrepare([]) });
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    expect((await ask(server, "/api/v0/prepare", init)).status).toBe(400);
  });

  test("are answered with the reason where media is switched off", async () => {
    await using server = await serve();
    expect((await ask(server, "/api/v0/jobs")).json().error.code).toBe("FEATURE_DISABLED");
  });
});
