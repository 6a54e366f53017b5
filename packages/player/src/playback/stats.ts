import type { NodeFigures } from "./node-figures.ts";

/** One sample of how playing goes. Rates are over the time since the sample before. */
export interface PlayerStats {
  /** How it comes: over WebRTC, or as a file that the browser plays by itself. */
  readonly delivery: "webrtc" | "http";
  /** Picture size as decoded, pixels; 0 without video. */
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  readonly framesDecoded: number;
  readonly framesDropped: number;
  readonly freezes: number;
  readonly keyFramesDecoded: number;
  /** All tracks together. */
  readonly bitrateBps: number;
  readonly bytesReceived: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  /** Of the packets since the sample before, 0 to 1. */
  readonly lossShare: number;
  readonly roundTripMs: number | undefined;
  /** Mean wait of a frame in the jitter buffer, ms. */
  readonly jitterBufferMs: number | undefined;
  readonly videoCodec: string | undefined;
  readonly audioCodec: string | undefined;
  /** Sound samples that came out of the jitter buffer, and how many of them were made up to hide a gap. */
  readonly audioSamples: number;
  readonly audioSamplesConcealed: number;
  /** Energy of all sound so far: grows while something can be heard. */
  readonly audioEnergy: number;
  /** Seconds of sound in `audioEnergy`. */
  readonly audioSeconds: number;
  /** What the node told last; undefined where it does not, as when the file itself is played. */
  readonly node?: NodeFigures | undefined;
}

/** A report of `RTCPeerConnection.getStats()`, of whatever type. */
export type RawReport = Readonly<Record<string, unknown>>;

/** Counters that the next sample is compared with. */
export interface StatsBaseline {
  readonly atMs: number;
  readonly bytesReceived: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
}

/** Condenses the browser's reports. `before` is the sample before, for rates; without one they are 0. */
export function summariseStats(
  reports: readonly RawReport[],
  nowMs: number,
  before: StatsBaseline | undefined,
): { readonly stats: PlayerStats; readonly baseline: StatsBaseline } {
  const inbound = reports.filter(report => report["type"] === "inbound-rtp");
  const video: RawReport = inbound.find(report => report["kind"] === "video") ?? {};
  const audio: RawReport = inbound.find(report => report["kind"] === "audio") ?? {};
  const pair = reports.find(report => report["type"] === "candidate-pair" && report["nominated"] === true);
  const sum = (name: string): number => inbound.reduce((total, report) => total + number(report[name]), 0);

  const baseline: StatsBaseline = {
    atMs: nowMs,
    bytesReceived: sum("bytesReceived"),
    packetsReceived: sum("packetsReceived"),
    packetsLost: sum("packetsLost"),
  };
  const seconds = before ? (nowMs - before.atMs) / 1000 : 0;
  const bytes = before ? Math.max(0, baseline.bytesReceived - before.bytesReceived) : 0;
  const lost = before ? Math.max(0, baseline.packetsLost - before.packetsLost) : 0;
  const received = before ? Math.max(0, baseline.packetsReceived - before.packetsReceived) : 0;

  const stats: PlayerStats = {
    delivery: "webrtc",
    width: number(video["frameWidth"]),
    height: number(video["frameHeight"]),
    framesPerSecond: number(video["framesPerSecond"]),
    framesDecoded: number(video["framesDecoded"]),
    framesDropped: number(video["framesDropped"]),
    freezes: number(video["freezeCount"]),
    keyFramesDecoded: number(video["keyFramesDecoded"]),
    bitrateBps: seconds > 0 ? (bytes * 8) / seconds : 0,
    bytesReceived: baseline.bytesReceived,
    packetsReceived: baseline.packetsReceived,
    packetsLost: baseline.packetsLost,
    lossShare: lost + received > 0 ? lost / (lost + received) : 0,
    roundTripMs: optional(pair?.["currentRoundTripTime"], 1000),
    jitterBufferMs: meanDelayMs(video) ?? meanDelayMs(audio),
    videoCodec: codecName(reports, video),
    audioCodec: codecName(reports, audio),
    audioSamples: number(audio["totalSamplesReceived"]),
    audioSamplesConcealed: number(audio["concealedSamples"]),
    audioEnergy: number(audio["totalAudioEnergy"]),
    audioSeconds: number(audio["totalSamplesDuration"]),
  };
  return { stats, baseline };
}

function meanDelayMs(report: RawReport): number | undefined {
  const emitted = number(report["jitterBufferEmittedCount"]);
  return emitted > 0 ? (number(report["jitterBufferDelay"]) / emitted) * 1000 : undefined;
}

function codecName(reports: readonly RawReport[], stream: RawReport): string | undefined {
  const codec = reports.find(report => report["type"] === "codec" && report["id"] === stream["codecId"]);
  const mime = codec?.["mimeType"];
  return typeof mime === "string" ? mime.slice(mime.indexOf("/") + 1) : undefined;
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function optional(value: unknown, scale: number): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value * scale : undefined;
}
