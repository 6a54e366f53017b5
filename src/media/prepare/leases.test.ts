import { expect, test } from "vitest";
import { openDatabase } from "../../store/index.ts";
import { PREPARE_LEASE_MS } from "../limits.ts";
import { JobStore } from "./job-store.ts";
import { mediaMigrations } from "./migrations.ts";
import type { PrepareJob } from "./types.ts";

const JOB: PrepareJob = {
  id: "job",
  cid: "bafyclip",
  presets: undefined,
  codec: "h264",
  owner: undefined,
  state: "queued",
  progress: { percent: 0, fps: 0 },
  result: undefined,
  error: undefined,
  createdAtMs: 1,
  endedAtMs: undefined,
};

test("of the nodes that share a database one has a job to itself, until it gives no sign of life", async () => {
  await using database = await openDatabase({ file: ":memory:", migrations: [...mediaMigrations] });
  const [one, other] = [new JobStore(database), new JobStore(database)];
  await one.insert(JOB);
  const claim = (node: string, nowMs: number) => ({ node, nowMs, untilMs: nowMs + PREPARE_LEASE_MS });
  expect(await one.claim("job", claim("one", 0))).toBe(true);
  expect(await other.claim("job", claim("other", 1))).toBe(false);
  // After a restart it has the same name.
  expect(await one.claim("job", claim("one", PREPARE_LEASE_MS))).toBe(true);
  expect(await other.claim("job", claim("other", PREPARE_LEASE_MS + 1))).toBe(false);
  expect(await other.claim("job", claim("other", 2 * PREPARE_LEASE_MS + 1))).toBe(true);
  expect(await one.claim("job", claim("one", 2 * PREPARE_LEASE_MS + 2))).toBe(false);
  await other.update({ ...JOB, state: "done", endedAtMs: 5 });
  expect(await other.claim("job", claim("other", 10 * PREPARE_LEASE_MS))).toBe(false);
});
