import type { QualityDecision, QualityReason } from "./types.ts";

/** What keeps a session from playing as it should; `none`: nothing does. */
export type StallCause = "none" | "network" | "supply" | "transcode" | "cpu" | "viewer";

/** Why a session stalls: the cause in one line, and what happened. */
export interface StallReport {
  readonly pc_id: string;
  readonly cid: string;
  readonly state: string;
  readonly cause: StallCause;
  readonly summary: string;
  /** The rung that is shown; null where there is one quality. */
  readonly rung: string | null;
  readonly estimate_bps: number;
  readonly packet_loss: number;
  readonly rtt_ms: number | null;
  readonly queue_ms: number;
  readonly buffered_seconds: number;
  readonly stalled_seconds: number;
  readonly played_seconds: number;
  /** Oldest first. */
  readonly timeline: readonly StallEntry[];
}

/** A decision as clients read it: times in seconds since 1970, loss in percent. */
export interface StallEntry {
  readonly time: number;
  readonly event: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly reason: string;
  readonly estimate_bps: number;
  readonly packet_loss: number;
  readonly rtt_ms: number | null;
  readonly queue_ms: number;
  readonly buffered_seconds: number;
  /** Seconds of media that came each second; null: nothing had to be waited for. */
  readonly supply: number | null;
  readonly lag_ms: number;
}

/** What is known of a session now. */
export interface StallFacts {
  readonly id: string;
  readonly cid: string;
  readonly connected: boolean;
  readonly connectionState: string;
  readonly playbackState: string;
  readonly rung: string | undefined;
  readonly picturesPaused: boolean;
  readonly estimateBps: number | undefined;
  readonly limitBps: number | undefined;
  /** What the session needs for the rung it is at. */
  readonly neededBps: number;
  readonly lossShare: number;
  readonly roundTripMs: number | undefined;
  readonly queueMs: number;
  readonly bufferedSeconds: number;
  readonly supplyFactor: number | undefined;
  readonly stalledSeconds: number;
  readonly playedSeconds: number;
  /** Some track is transcoded while it is watched. */
  readonly transcoded: boolean;
  readonly nowMs: number;
}

/** How long something that happened counts as the cause, ms. */
const RECENT_MS = 15_000;
const MUCH_LOSS = 0.1;

/** Names the cause of a stall from what is known now and what happened lately. */
export function stallReport(facts: StallFacts, log: readonly QualityDecision[]): StallReport {
  const recent = log.filter(({ atMs }) => facts.nowMs - atMs <= RECENT_MS);
  const { cause, summary } = explain(facts, recent);
  return {
    pc_id: facts.id,
    cid: facts.cid,
    state: facts.connected ? facts.playbackState : facts.connectionState,
    cause,
    summary,
    rung: facts.rung ?? null,
    estimate_bps: facts.estimateBps ?? 0,
    packet_loss: percent(facts.lossShare),
    rtt_ms: facts.roundTripMs === undefined ? null : Math.round(facts.roundTripMs),
    queue_ms: Math.round(facts.queueMs),
    buffered_seconds: hundredths(facts.bufferedSeconds),
    stalled_seconds: hundredths(facts.stalledSeconds),
    played_seconds: hundredths(facts.playedSeconds),
    timeline: log.map(stallEntry),
  };
}

/** A decision as clients read it. */
export function stallEntry(decision: QualityDecision): StallEntry {
  return {
    time: decision.atMs / 1000,
    event: decision.kind,
    from: decision.from ?? null,
    to: decision.to ?? null,
    reason: decision.reason,
    estimate_bps: decision.estimateBps,
    packet_loss: percent(decision.lossShare),
    rtt_ms: decision.roundTripMs === undefined ? null : Math.round(decision.roundTripMs),
    queue_ms: Math.round(decision.queueMs),
    buffered_seconds: hundredths(decision.bufferedSeconds),
    supply: decision.supplyFactor === undefined ? null : hundredths(decision.supplyFactor),
    lag_ms: decision.lagMs,
  };
}

function explain(
  facts: StallFacts,
  recent: readonly QualityDecision[],
): { readonly cause: StallCause; readonly summary: string } {
  const happened = (kind: QualityDecision["kind"], ...reasons: readonly QualityReason[]): boolean =>
    recent.some(entry => entry.kind === kind && (reasons.length === 0 || reasons.includes(entry.reason)));
  if (!facts.connected) {
    const summary = `network: no media connection (${facts.connectionState}): the viewer has not answered, or its path is closed`;
    return { cause: "network", summary };
  }
  const path = `the path carries ${rate(facts.estimateBps)}`;
  if (facts.picturesPaused) {
    return { cause: "network", summary: `network: ${path}, too little for pictures; sound goes on` };
  }
  if (facts.playbackState === "buffering" || (happened("buffering") && facts.limitBps === undefined)) {
    const late = recent.find(({ kind }) => kind === "late");
    if (late !== undefined) return cpu(late.lagMs);
    return waiting(facts);
  }
  if (facts.limitBps !== undefined || happened("down", "delay", "loss", "remb") || happened("skipping")) {
    const loss = facts.lossShare > MUCH_LOSS ? `, ${percent(facts.lossShare)} % of packets are lost` : "";
    const at = facts.rung === undefined ? "" : `, playing ${facts.rung}`;
    const summary = `network: ${path} where ${rate(facts.neededBps)} are needed${loss}${at}`;
    return { cause: "network", summary };
  }
  if (facts.lossShare > MUCH_LOSS)
    return { cause: "network", summary: `network: ${percent(facts.lossShare)} % of packets are lost` };
  const late = recent.find(({ kind }) => kind === "late");
  if (late !== undefined) return cpu(late.lagMs);
  if (happened("refused", "supply") || happened("down", "supply")) return waiting(facts);
  if (facts.playbackState === "paused") return { cause: "viewer", summary: "viewer: it is paused" };
  if (facts.playbackState === "ended") return { cause: "viewer", summary: "viewer: it has ended" };
  return { cause: "none", summary: `none: nothing holds it up here; ${path}` };
}

function cpu(lagMs: number): { readonly cause: StallCause; readonly summary: string } {
  return { cause: "cpu", summary: `cpu: the node's media thread was ${lagMs} ms late` };
}

function waiting(facts: StallFacts): { readonly cause: StallCause; readonly summary: string } {
  const speed =
    facts.supplyFactor === undefined ? "" : `: ${hundredths(facts.supplyFactor)} s of media come each second`;
  return facts.transcoded
    ? { cause: "transcode", summary: `transcode: the encoder does not keep up${speed}` }
    : { cause: "supply", summary: `supply: verified blocks come too slowly${speed}` };
}

function rate(bps: number | undefined): string {
  return bps === undefined ? "an unknown rate" : `${(bps / 1e6).toFixed(2)} Mbit/s`;
}

const percent = (share: number): number => Math.round(share * 1000) / 10;
const hundredths = (value: number): number => Math.round(value * 100) / 100;
