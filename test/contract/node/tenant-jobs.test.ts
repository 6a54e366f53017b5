import { createReadStream } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeClip } from "../../../src/media/testing/clips.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const SAMPLE = new URL("../../../samples/sample-real-world.mp4", import.meta.url);

let served: ServedNode;
let clip: Uint8Array;
beforeAll(async () => {
  served = await serveNode({ prepare: { workers: 1 } });
  clip = await makeClip({ container: "mp4", video: { encoder: "libx264", frames: 60, gop: 30, bFrames: 2 } });
});
afterAll(async () => served?.[Symbol.asyncDispose]());

async function tenant(name: string, quotas: object) {
  const { tenants, tokens } = served.node.tenancy!;
  const { id } = await tenants.create({ name, quotas });
  const scopes = ["media", "content:read", "content:write"];
  const { token } = await tokens.create({ tenantId: id, scopes, expiresInDays: null });
  const ask = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${served.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    // Tests look into answers of every shape.
    // oxlint-disable-next-line typescript/no-explicit-any
    const json = (await response.json().catch(() => undefined)) as any;
    return { status: response.status, json };
  };
  const view = served.node.tenancy!.contentView(served.node.content, id);
  return { id, ask, view };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

test("a tenant's jobs count against its quota, are seen by it alone, and what they make is its content", async () => {
  const { prepare, events, content } = served.node;
  const one = await tenant("one", { jobs: 1 });
  const other = await tenant("other", { jobs: 1 });
  const { cid } = await one.view.add(once(clip), { name: "film.mp4" });
  const told: [string, string | undefined][] = [];
  const stop = events.onAny(({ type, data, tenantId }) => {
    if (type.startsWith("job_") && type !== "job_progress" && "cid" in data && data.cid === cid)
      told.push([type, tenantId]);
  });
  // A job of the node's own is before it in the queue.
  const own = await content.add(createReadStream(SAMPLE));
  const first = await prepare.submit(own.cid);
  const made = await one.ask("POST", "/api/v0/prepare", { cid, presets: ["very_low"] });
  expect(made.status).toBe(200);
  const { jobId } = made.json;
  // The same again is that job, and no second one. Another one is more than its quota has.
  const again = await one.ask("POST", "/api/v0/prepare", { cid, presets: ["very_low"] });
  const next = await one.ask("POST", "/api/v0/prepare", { cid, presets: ["low"] });
  expect(again.json.jobId).toBe(jobId);
  expect(next.json.error.code).toBe("LIMIT_REACHED");
  expect((await other.ask("GET", `/api/v0/jobs/${jobId}`)).json.error.code).toBe("JOB_NOT_FOUND");
  expect((await other.ask("DELETE", `/api/v0/jobs/${jobId}`)).json.error.code).toBe("JOB_NOT_FOUND");
  expect((await other.ask("GET", "/api/v0/jobs")).json).toEqual({ jobs: [] });
  expect((await one.ask("GET", "/api/v0/jobs")).json.jobs).toMatchObject([{ id: jobId, owner: one.id }]);
  await prepare.cancel(first.id);
  const { state, result } = await prepare.ended(jobId);
  stop();
  expect(state).toBe("done");
  const root = result?.root ?? "";
  expect(told).toEqual(["job_queued", "job_started", "job_done"].map(type => [type, one.id]));
  expect((await one.ask("GET", `/api/v0/content/${root}`)).json).toMatchObject({
    name: "film.mp4 (prepared)",
  });
  expect((await other.ask("GET", `/api/v0/content/${root}`)).json.error.code).toBe("CONTENT_NOT_FOUND");
  expect((await one.ask("GET", `/api/v0/probe/${root}`)).status).toBe(200);
  // It goes as the rest of the tenant's content does, and its pin with it.
  expect((await one.ask("DELETE", `/api/v0/content/${root}`)).status).toBe(200);
  expect(await served.node.content.pins({ cid: root })).toEqual([]);
});

test("there is no job for more than a tenant may keep", async () => {
  const small = await tenant("small", { storage_bytes: clip.length + 1000 });
  const { cid } = await small.view.add(once(clip), { name: "film.mp4" });
  const refused = await small.ask("POST", "/api/v0/prepare", { cid });
  expect(refused.json.error).toMatchObject({ code: "LIMIT_REACHED" });
  expect((await small.ask("GET", "/api/v0/jobs")).json).toEqual({ jobs: [] });
});
