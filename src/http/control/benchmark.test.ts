import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../core/index.ts";
import type { MediaInfo } from "../../media/index.ts";
import { MAX_BENCHMARK_REPORTS } from "../limits.ts";
import { type BenchmarkSample, qualityScoreOf, summarise, watchViewer } from "./benchmark.ts";
import { keepReport, readReport, renderReport } from "./report.ts";

const INFO = { tracks: [{ kind: "video", codec: "h264" }] } as unknown as MediaInfo;
const VIEWER = { id: "pc_1", cid: "bafyfilm", info: INFO };
const sample = (second: number, stats: object): BenchmarkSample => ({
  atMs: second * 1000,
  stats: { ...stats },
});

describe("a benchmark", () => {
  test("looks once a second, for the time it was given, or until the viewer goes", async () => {
    const clock = new VirtualClock(0);
    const watch = (stats: () => Promise<object>) =>
      watchViewer(
        { stats: async () => ({ ...(await stats()) }) },
        { durationSeconds: 3, intervalMs: 1000, clock, signal: new AbortController().signal },
      );
    const whole = watch(async () => {
      queueMicrotask(() => setImmediate(() => clock.advance(1000)));
      return {};
    });
    expect((await whole).map(({ atMs }) => atMs)).toEqual([0, 1000, 2000, 3000]);
    let left = 2;
    const gone = await watch(async () => {
      if (left-- === 0) throw new Error("gone");
      setImmediate(() => clock.advance(1000));
      return {};
    });
    expect(gone).toHaveLength(2);
  });

  test("tells what was measured, and null for what was not", () => {
    const summary = summarise(VIEWER, [
      sample(0, {
        bytes_sent: 1000,
        pictures_sent: 10,
        keyframes_sent: 1,
        rtt: 20,
        jitter: 2,
        packet_loss: 0,
      }),
      sample(2, {
        bytes_sent: 501_000,
        pictures_sent: 70,
        keyframes_sent: 3,
        rtt: 40,
        jitter: 4,
        packet_loss: 1,
      }),
    ]);
    expect(summary).toMatchObject({
      duration_sec: 2,
      avg_bitrate_kbps: 2000,
      throughput_mbps: 2,
      total_frames: 60,
      avg_frames_per_second: 30,
      keyframe_ratio: 0.033,
      avg_rtt_ms: 30,
      avg_packet_loss_percent: 0.5,
      packet_loss_rate: 0.005,
      p50_latency_ms: 20,
      video_codec: "h264",
      audio_codec: null,
      first_frame_time_ms: null,
    });
    expect(summarise(VIEWER, [])).toMatchObject({
      duration_sec: 0,
      avg_rtt_ms: null,
      avg_bitrate_kbps: null,
    });
  });

  test("scores as existing tools do", () => {
    expect(qualityScoreOf({ rttMs: 0, jitterMs: 0, lossPercent: 0, kbps: 4000 })).toBeCloseTo(100);
    expect(qualityScoreOf({ rttMs: 250, jitterMs: 50, lossPercent: 5, kbps: 2000 })).toBeCloseTo(50);
    expect(qualityScoreOf({ rttMs: 9999, jitterMs: 999, lossPercent: 99, kbps: 0 })).toBe(0);
  });

  test("has its report as a table, with nothing in it that a program would run", async () => {
    const report = {
      id: "bench_1",
      summary: { cid: `<script>"x"</script>`, list: { host: 1 } },
      samples: [sample(0, { bytes_sent: 1 }), sample(1, { bytes_sent: "a,b" })],
    };
    expect(renderReport(report, "html")).not.toContain("<script>");
    const [head, first, second] = renderReport(report, "csv").split("\r\n");
    expect(head).toMatch(/^seconds,bytes_sent,/);
    expect([first, second]).toEqual(["0.0,1,,,,,", '1.0,"a,b",,,,,']);
    expect(JSON.parse(renderReport(report, "json"))).toMatchObject({ benchmark_id: "bench_1" });
  });

  test("keeps a bounded number of reports", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cidcast-reports-"));
    for (let n = 0; n <= MAX_BENCHMARK_REPORTS; n++) {
      await keepReport(folder, { id: `bench_${n}`, summary: {}, samples: [] }, "json");
    }
    const names = await readdir(folder);
    expect(names).toHaveLength(MAX_BENCHMARK_REPORTS);
    const last = await readReport(folder, `bench_${MAX_BENCHMARK_REPORTS}`);
    expect(last.format).toBe("json");
    await rm(folder, { recursive: true });
  });
});
