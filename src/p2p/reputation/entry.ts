import { z } from "zod";
import {
  BACKOFF_MAX_MS,
  BAN_MAX_MS,
  BAN_MS,
  MAX_AFFINITY_PER_PEER,
  REPUTATION_HALF_LIFE_MS,
} from "../limits.ts";
import type { PeerOutcome } from "./types.ts";

/** Weight of the newest observation in averages. */
const NEWEST = 0.3;
/** What a stranger has. */
const NEUTRAL = 0.5;
/** Throughput that counts half, bytes per second. */
const GOOD_BYTES_PER_SECOND = 1024 * 1024;
/** Wait after the first of several failures in a row, milliseconds. */
const BACKOFF_MS = 1000;

export const entrySchema = z.object({
  success: z.number().min(0).max(1),
  latencyMs: z.number().optional(),
  bytesPerSecond: z.number().optional(),
  bytesVerified: z.number(),
  badBlocks: z.number(),
  /** Failures since the last success. */
  failures: z.number(),
  /** Bans so far, fading: each is twice as long as the one before. */
  bans: z.number(),
  backoffUntilMs: z.number(),
  bannedUntilMs: z.number(),
  lastSeenMs: z.number(),
  /** CIDs served, the latest last. */
  served: z.array(z.string()),
});
/** What is kept of a peer. */
export type Entry = z.output<typeof entrySchema>;

export const STRANGER: Entry = {
  success: NEUTRAL,
  bytesVerified: 0,
  badBlocks: 0,
  failures: 0,
  bans: 0,
  backoffUntilMs: 0,
  bannedUntilMs: 0,
  lastSeenMs: 0,
  served: [],
};

/** The entry as it counts at `nowMs`: what was good or bad fades towards a stranger's. */
export function faded(entry: Entry, nowMs: number): Entry {
  if (entry.lastSeenMs === 0) return entry;
  const keep = 0.5 ** (Math.max(0, nowMs - entry.lastSeenMs) / REPUTATION_HALF_LIFE_MS);
  return { ...entry, success: NEUTRAL + (entry.success - NEUTRAL) * keep, bans: entry.bans * keep };
}

/** The entry after one more asking. */
export function noted(before: Entry, outcome: PeerOutcome, nowMs: number): Entry {
  const entry = faded(before, nowMs);
  const { result, latencyMs, bytes = 0, durationMs, about } = outcome;
  const isGood = result === "ok";
  const rate = bytes > 0 && durationMs !== undefined ? bytes / Math.max(0.001, durationMs / 1000) : undefined;
  const failures = isGood || result === "lacks" ? 0 : entry.failures + 1;
  const bans = result === "bad" ? entry.bans + 1 : entry.bans;
  return {
    ...entry,
    success: result === "lacks" ? entry.success : entry.success * (1 - NEWEST) + (isGood ? NEWEST : 0),
    latencyMs: average(entry.latencyMs, latencyMs),
    bytesPerSecond: average(entry.bytesPerSecond, rate),
    bytesVerified: entry.bytesVerified + bytes,
    badBlocks: entry.badBlocks + (result === "bad" ? 1 : 0),
    failures,
    bans,
    backoffUntilMs: failures === 0 ? 0 : nowMs + Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (failures - 1)),
    bannedUntilMs:
      result === "bad"
        ? nowMs + Math.min(BAN_MAX_MS, BAN_MS * 2 ** Math.max(0, Math.round(bans) - 1))
        : entry.bannedUntilMs,
    lastSeenMs: nowMs,
    served: isGood && about !== undefined ? withServed(entry.served, about) : entry.served,
  };
}

/** 0.5 to begin with; latency, throughput and what it has served add to how its askings went. */
export function scoreOf(entry: Entry, isRelated: boolean): number {
  const { success, latencyMs, bytesPerSecond, served } = entry;
  const latency = latencyMs === undefined ? 0.1 : 0.2 / (1 + latencyMs / 1000);
  const throughput =
    bytesPerSecond === undefined ? 0 : (0.2 * bytesPerSecond) / (bytesPerSecond + GOOD_BYTES_PER_SECOND);
  const affinity = Math.min(0.1, 0.01 * served.length);
  return 0.8 * success + latency + throughput + affinity + (isRelated ? 0.3 : 0);
}

function average(before: number | undefined, value: number | undefined): number | undefined {
  if (value === undefined) return before;
  return before === undefined ? value : before * (1 - NEWEST) + value * NEWEST;
}

function withServed(served: string[], cid: string): string[] {
  // The same array while one thing is read: what is worked out from it is kept by it.
  if (served.at(-1) === cid) return served;
  return [...served.filter(known => known !== cid), cid].slice(-MAX_AFFINITY_PER_PEER);
}
