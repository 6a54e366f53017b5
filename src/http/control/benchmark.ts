import type { Clock } from "../../core/index.ts";
import type { MediaInfo } from "../../media/index.ts";

/** What is measured of a viewer at one moment; the names are those of `connection_stats`. */
export interface BenchmarkSample {
  readonly atMs: number;
  readonly stats: Readonly<Record<string, unknown>>;
}

/** What existing tools read in a benchmark; null: nothing of it was measured. */
export type BenchmarkSummary = Readonly<Record<string, unknown>>;

interface Watched {
  readonly id: string;
  readonly cid: string;
  readonly info: MediaInfo;
  stats(): Promise<Readonly<Record<string, unknown>>>;
}

/** Looks at a viewer once a second; ends early when the viewer goes or the signal aborts. */
export async function watchViewer(
  viewer: Pick<Watched, "stats">,
  init: {
    readonly durationSeconds: number;
    readonly intervalMs: number;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<readonly BenchmarkSample[]> {
  const { clock, signal, intervalMs } = init;
  const samples: BenchmarkSample[] = [];
  const endMs = clock.monotonicMs() + init.durationSeconds * 1000;
  while (!signal.aborted) {
    // A viewer that has gone has no figures any more: what was measured until then counts.
    const stats = await viewer.stats().catch(() => undefined);
    if (stats === undefined) break;
    samples.push({ atMs: clock.monotonicMs(), stats });
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0) break;
    await pause(Math.min(intervalMs, leftMs), clock, signal);
  }
  return samples;
}

async function pause(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(delayMs, resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  cancel();
}

/** The figures of a benchmark, of what was measured and nothing else. */
export function summarise(
  { id, cid, info }: Pick<Watched, "id" | "cid" | "info">,
  samples: readonly BenchmarkSample[],
): BenchmarkSummary {
  const first = samples[0];
  const last = samples.at(-1);
  const seconds = first === undefined || last === undefined ? 0 : (last.atMs - first.atMs) / 1000;
  const all = (name: string): number[] => samples.flatMap(({ stats }) => number(stats[name]));
  const grown = (name: string): number => (all(name).at(-1) ?? 0) - (all(name)[0] ?? 0);
  const perSecond = (name: string): number | null => (seconds > 0 ? grown(name) / seconds : null);
  const measuredRtt = all("rtt").filter(value => value > 0);
  const oneWay = measuredRtt.map(value => value / 2).sort((a, b) => a - b);
  const loss = mean(all("packet_loss"));
  const bytesPerSecond = perSecond("bytes_sent");
  const pictures = grown("pictures_sent");
  const codec = (kind: "video" | "audio"): string | null =>
    info.tracks.find(track => track.kind === kind)?.codec ?? null;
  return {
    connection_id: id,
    cid,
    duration_sec: round(seconds),
    ice_gathering_time_ms: all("ice_gathering_time_ms").at(-1) ?? null,
    ice_connection_time_ms: all("ice_connection_time_ms").at(-1) ?? null,
    first_frame_time_ms: all("first_frame_time_ms").at(-1) ?? null,
    // A viewer that connects again is another connection.
    reconnection_count: 0,
    avg_rtt_ms: round(mean(measuredRtt)),
    avg_jitter_ms: round(mean(all("jitter"))),
    avg_packet_loss_percent: round(loss),
    avg_bitrate_kbps: bytesPerSecond === null ? null : round((bytesPerSecond * 8) / 1000),
    avg_frames_per_second: round(perSecond("pictures_sent")),
    total_frames: pictures,
    keyframe_ratio: pictures > 0 ? round(grown("keyframes_sent") / pictures) : null,
    // What is known of it here: half the way there and back. Decoding and showing are the viewer's.
    avg_end_to_end_latency_ms: round(mean(oneWay)),
    p50_latency_ms: round(percentile(oneWay, 0.5)),
    p95_latency_ms: round(percentile(oneWay, 0.95)),
    throughput_bytes_per_sec: round(bytesPerSecond),
    throughput_mbps: bytesPerSecond === null ? null : round((bytesPerSecond * 8) / 1e6),
    packet_loss_rate: loss === null ? null : round(loss / 100),
    video_codec: codec("video"),
    audio_codec: codec("audio"),
    avg_quality_score: round(
      mean(samples.slice(1).map((sample, index) => sampleScore(samples[index] ?? sample, sample))),
    ),
    ice_candidates: last?.stats["ice_candidate_types"] ?? { host: 0, srflx: 0, prflx: 0, relay: 0 },
  };
}

/** 0 to 100, as existing tools compute it from round trip and jitter (ms), loss (percent) and bitrate (kb/s). */
export function qualityScoreOf(figures: {
  readonly rttMs: number;
  readonly jitterMs: number;
  readonly lossPercent: number;
  readonly kbps: number;
}): number {
  const share = (value: number): number => Math.min(1, Math.max(0, value));
  return (
    100 *
    (0.3 * share(1 - figures.rttMs / 500) +
      0.2 * share(1 - figures.jitterMs / 100) +
      0.3 * share(1 - figures.lossPercent / 10) +
      0.2 * share(figures.kbps / 4000))
  );
}

function sampleScore(before: BenchmarkSample, sample: BenchmarkSample): number {
  const of = (name: string, { stats }: BenchmarkSample): number => number(stats[name])[0] ?? 0;
  const seconds = Math.max(0.001, (sample.atMs - before.atMs) / 1000);
  return qualityScoreOf({
    rttMs: of("rtt", sample),
    jitterMs: of("jitter", sample),
    lossPercent: of("packet_loss", sample),
    kbps: ((of("bytes_sent", sample) - of("bytes_sent", before)) * 8) / 1000 / seconds,
  });
}

function number(value: unknown): number[] {
  return typeof value === "number" && Number.isFinite(value) ? [value] : [];
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of values in order. */
function percentile(values: readonly number[], share: number): number | null {
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? null;
}

function round(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}
