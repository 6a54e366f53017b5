import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { SAMPLE_CID, startSignallingServer } from "../../webrtc/signalling-server.ts";
import { retainedBytes } from "../memory.ts";
import { nativeBytes, residentBytes } from "../native-memory.ts";
import { buildPion, type PionProgram } from "../pion/build.ts";

const run = promisify(execFile);
/** Viewers that come and go together. */
const VIEWERS = 10;
/** Time of one egress, ms; `CIDCAST_SOAK_MINUTES` makes it longer. */
const SOAK_MS = Number(process.env["CIDCAST_SOAK_MINUTES"] ?? "0") * 60_000 || 30_000;
/** Sessions that there are at the least. */
const LEAST_SESSIONS = 200;
/** Rounds after which code is compiled and pools have their size. */
const WARM_ROUNDS = 4;
/** What may be held afterwards beyond what was before, bytes: some ten kilobytes for each of the viewers that follow. */
const MAX_RETAINED_BYTES = 8 * 1024 * 1024;
/** What the process may hold beside its heap afterwards beyond what it held before, bytes: code, stacks, fragments. */
const MAX_GROWTH_BYTES = 128 * 1024 * 1024;

let pion: PionProgram;
beforeAll(async () => {
  pion = await buildPion();
});

function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

describe.each(["js", "batched"] as const)("viewers that come and go, egress %s", egress => {
  test("leave nothing behind", { timeout: SOAK_MS * 4 + 180_000 }, async ctx => {
    const { program, missing } = pion;
    ctx.skip(program === undefined, missing);
    const auto = egress === "batched" ? "auto" : egress;
    // All in one thread: the garbage of another one's heap cannot be told from what it keeps.
    await using server = await startSignallingServer({ webrtc: { egress: auto, workers: 0 } });
    const { manager } = server;
    const round = async (): Promise<void> => {
      const args = ["-url", server.url, "-cid", SAMPLE_CID, "-n", String(VIEWERS), "-duration", "500ms"];
      await run(program ?? "", [...args, "-timeout", "60s"]).catch((error: Error & { stdout?: string }) => {
        throw new Error(`viewers did not come up: ${error.stdout ?? error.message}`);
      });
      await expect.poll(() => manager.sessions().length, { timeout: 30_000 }).toBe(0);
    };
    for (let i = 0; i < WARM_ROUNDS; i++) await round();
    const before = {
      retained: retainedBytes(),
      resident: residentBytes(),
      native: nativeBytes() ?? 0,
      resources: resources(),
    };
    const endMs = performance.now() + SOAK_MS;
    let rounds = 0;
    for (; performance.now() < endMs || rounds * VIEWERS < LEAST_SESSIONS; rounds++) await round();
    const retained = retainedBytes() - before.retained;
    const native = (nativeBytes() ?? 0) - before.native;
    const grown = residentBytes() - before.resident;
    console.log(
      `${egress}: ${rounds * VIEWERS} viewers, grown beside the heap by ${(grown / 2 ** 20).toFixed(1)} MiB, ${(retained / 2 ** 20).toFixed(1)} MiB retained by the heap and ${(native / 2 ** 20).toFixed(1)} by native code`,
    );
    await expect
      .poll(async () => manager.hostStats())
      .toMatchObject({ sessions: 0, segments: 0, errors: 0, egress: manager.egress });
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES);
    expect(retained).toBeLessThan(MAX_RETAINED_BYTES);
    expect(native).toBeLessThan(MAX_RETAINED_BYTES);
    await expect.poll(() => resources()["UDPWRAP"] ?? 0).toBe(before.resources["UDPWRAP"] ?? 0);
    await expect.poll(() => resources()["TCPSocketWrap"] ?? 0).toBe(before.resources["TCPSocketWrap"] ?? 0);
  });
});
