import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { SAMPLE_CID, type SignallingServer, startSignallingServer } from "../webrtc/signalling-server.ts";
import { buildPion } from "./pion/build.ts";

const run = promisify(execFile);
const VIEWERS = 10;

interface PionReport {
  readonly connected: number;
  readonly playing: number;
  readonly packets: number;
  readonly lost: number;
  readonly control_messages: number;
  readonly tracks: Readonly<Record<string, number>>;
  readonly first_keyframe_ms: { readonly p50: number; readonly p95: number };
  readonly errors?: readonly string[];
}

let program: string | undefined;
let missing = "";
let server: SignallingServer;

beforeAll(async () => {
  ({ program, missing } = await buildPion());
  server = await startSignallingServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function watch(ctx: TestContext, ...args: string[]): Promise<PionReport> {
  if (program === undefined) return ctx.skip(missing);
  const { stdout } = await run(program, ["-url", server.url, "-cid", SAMPLE_CID, ...args]);
  return JSON.parse(stdout) as PionReport;
}

describe("Pion", () => {
  it(`${VIEWERS} viewers see the sample without a lost packet, also over a seek`, async ctx => {
    const report = await watch(ctx, "-n", String(VIEWERS), "-duration", "6s", "-seek", "12");
    expect(report.errors ?? []).toEqual([]);
    expect(report).toMatchObject({ connected: VIEWERS, playing: VIEWERS, lost: 0 });
    expect(report.tracks).toEqual({ "video/H264": VIEWERS, "audio/opus": VIEWERS });
    // 50 audio packets and at least 30 of pictures a second, for some 6 seconds.
    expect(report.packets).toBeGreaterThan(VIEWERS * 80 * 5);
    expect(report.control_messages).toBeGreaterThan(VIEWERS * 5);
    expect(report.first_keyframe_ms.p95).toBeLessThan(1000);
  });

  it("leaves nothing behind when its viewers go", async () => {
    await expect.poll(() => server.manager.sessions().length).toBe(0);
    await expect.poll(async () => (await server.manager.hostStats()).segments).toBe(0);
  });

  it("hears why there is nothing to see", async ctx => {
    ctx.skip(program === undefined, missing);
    const failed = run(program ?? "", ["-url", server.url, "-cid", "nothing", "-duration", "0s"]);
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining("nothing is not here"),
    });
  });
});
