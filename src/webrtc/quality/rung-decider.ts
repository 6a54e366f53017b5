import type { QualityReason, QualityWish, Rung } from "./types.ts";

/** Share of what a rung needs that the estimate must fall under while the path is the limit. */
const DOWN_SHARE = 1;
/** What is left over of the estimate after a fall, as a share of what the rung needs. */
const DOWN_ROOM = 1.1;
/** What the estimate must be, as a share of what the next rung needs. */
const UP_ROOM = 1.15;
/** What a probe sends, as a share of what the next rung needs. */
const PROBE_SHARE = 1.4;
/** A path that has troubled nobody for so long is stable, ms. */
const STABLE_MS = 3000;
/** Least time between two steps up, ms. */
const UP_INTERVAL_MS = 3000;
/** Time between two probes, ms; the next of a row that has shown what it was to show comes at once. */
const PROBE_INTERVAL_MS = 3000;
const NEXT_PROBE_MS = 250;
/** How long a step up may rely on what a probe has shown, ms. */
const SHOWN_MS = 4000;
/** The first probes send so many times what is known. @see libwebrtc's first exponential probe */
const FIRST_PROBE_FACTOR = 3;
/** A probe for what has been lost sends so many times what is left. */
const REGAIN_FACTOR = 2;
/** How long the first rung is open to any change, ms: the first estimates come. */
const FIRST_MS = 3000;
/** Trouble within this time of a step up was made by it, ms. */
const BLAME_MS = 10_000;
/** How long a rung that made trouble is left alone, ms; twice as long each time. */
const PENALTY_MS = 10_000;
const PENALTY_BPS = 2_500_000;
const MAX_PENALTY_MS = 120_000;
/** How long a path must carry too little for the lowest rung before its pictures are given up, ms. */
const PAUSE_AFTER_MS = 1500;
/** Share of the lowest rung under which that is so; of the only one: single pictures are better than none. */
const PAUSE_SHARE = 0.75;
const PAUSE_SHARE_ALONE = 0.2;
/** Share of the lowest rung from which on pictures are shown again; of the only one, some of which are then left out. */
const RESUME_SHARE = UP_ROOM;
const RESUME_SHARE_ALONE = 1.5 * PAUSE_SHARE_ALONE;
/** Without probes: how long a path must be stable before the next rung is simply tried, ms. */
const TRIAL_MS = 12_000;
/** A queue above this is not the moment to go up, ms. */
const CALM_QUEUE_MS = 60;
/**
 * Who is sent so small a share of what the pictures need asks for more all the same, unless the queue is above this, ms: where a
 * path is shared it is what others send that stands there, and would for ever.
 */
const STARVED_SHARE = 0.4;
const STARVED_QUEUE_MS = 200;
/** Buffer under which slow supply is acted on, seconds. */
const SHORT_BUFFER_SECONDS = 0.7;
/** How many seconds of media must come each second for a step up, weighed by the rates of both rungs. */
const SUPPLY_ROOM = 1.3;

/** What is known at a moment. */
export interface Situation {
  readonly nowMs: number;
  readonly estimateBps: number;
  /** The path is the limit. */
  readonly limited: boolean;
  /** When it last showed that, ms. */
  readonly troubledAtMs: number;
  readonly cause: QualityReason;
  readonly queueMs: number;
  /** What is sent beside the pictures, bits per second. */
  readonly otherBps: number;
  readonly canProbe: boolean;
  readonly bufferedSeconds: number;
  readonly supplyFactor: number | undefined;
}

/** What is to be done. */
export type Decision =
  | { readonly kind: "switch"; readonly to: number; readonly reason: QualityReason }
  | { readonly kind: "probe"; readonly bps: number }
  | { readonly kind: "pause"; readonly reason: QualityReason }
  | { readonly kind: "resume"; readonly reason: QualityReason };

/**
 * Chooses among rungs, from the least demanding up: down at once, up one at a time once the path is stable and a probe has
 * shown room. It has no clock: every call names its time.
 */
export class RungDecider {
  readonly #rungs: readonly Rung[];
  #wish: QualityWish;
  #current: number;
  #paused = false;
  /** Since when nothing is known of the path: the beginning, or the end of a pause. */
  #freshSinceMs: number;
  #lastSwitchMs: number;
  #lastUpMs = Number.NEGATIVE_INFINITY;
  #lastUpTo = -1;
  #nextProbeMs: number;
  #probedBps = 0;
  /** What the last probe has shown, and until when that is believed. */
  #shownBps = 0;
  #shownUntilMs = Number.NEGATIVE_INFINITY;
  #scarceSinceMs: number | undefined;
  readonly #penaltyMs: number[];
  readonly #closedUntilMs: number[];

  constructor(init: {
    readonly rungs: readonly Rung[];
    readonly first: number;
    readonly wish: QualityWish;
    readonly nowMs: number;
  }) {
    this.#rungs = init.rungs;
    this.#current = init.first;
    this.#wish = init.wish;
    this.#freshSinceMs = this.#lastSwitchMs = init.nowMs;
    this.#nextProbeMs = init.nowMs;
    this.#penaltyMs = init.rungs.map((_, rung) => this.#firstPenalty(rung));
    this.#closedUntilMs = init.rungs.map(() => Number.NEGATIVE_INFINITY);
  }

  /** Place of the rung that is wanted. */
  get current(): number {
    return this.#current;
  }

  /** True while pictures are given up. */
  get paused(): boolean {
    return this.#paused;
  }

  set wish(wish: QualityWish) {
    this.#wish = wish;
  }

  /** A rung could not be had: it is left alone for a while, and another one is wanted again. */
  refuse(rung: number, backTo: number, nowMs: number): void {
    this.#close(rung, nowMs);
    if (this.#current === rung) this.#current = backTo;
  }

  /** What a probe has shown, and what it sent; a row of them goes on while it shows all that. */
  probed({ bps, sentBps }: { readonly bps: number; readonly sentBps: number }, nowMs: number): void {
    this.#shownBps = bps;
    this.#shownUntilMs = nowMs + SHOWN_MS;
    if (bps >= 0.9 * Math.min(sentBps, this.#probedBps)) this.#nextProbeMs = nowMs + NEXT_PROBE_MS;
  }

  decide(now: Situation): Decision | undefined {
    const { nowMs } = now;
    if (this.#rungs.length === 0) return undefined;
    const fixed = this.#fixed();
    if (fixed >= 0) return fixed === this.#current ? undefined : this.#go(fixed, "viewer", nowMs);
    const top = topRung(this.#rungs, this.#wish, now.otherBps);
    if (this.#current > top) return this.#go(top, "limit", nowMs);
    this.#blame(false, nowMs);
    return this.#pausing(now) ?? this.#down(now) ?? this.#up(now, top);
  }

  #fixed(): number {
    const { rung } = this.#wish;
    return rung === undefined ? -1 : this.#rungs.findIndex(({ name }) => name === rung);
  }

  #needs(rung: number, now: Situation): number {
    return (this.#rungs[rung]?.bitrateBps ?? 0) + now.otherBps;
  }

  #go(to: number, reason: QualityReason, nowMs: number): Decision {
    if (to > this.#current) {
      this.#lastUpMs = nowMs;
      this.#lastUpTo = to;
    }
    this.#current = to;
    this.#lastSwitchMs = nowMs;
    return { kind: "switch", to, reason };
  }

  #close(rung: number, nowMs: number): void {
    const penalty = this.#penaltyMs[rung] ?? PENALTY_MS;
    this.#closedUntilMs[rung] = nowMs + penalty;
    this.#penaltyMs[rung] = Math.min(MAX_PENALTY_MS, penalty * 2);
  }

  /** A fall soon after a step up closes the rung stepped up to for a while; none for long forgives it. */
  #blame(fallen: boolean, nowMs: number): void {
    const rung = this.#lastUpTo;
    if (rung < 0) return;
    if (nowMs - this.#lastUpMs > BLAME_MS) this.#penaltyMs[rung] = this.#firstPenalty(rung);
    else if (fallen) this.#close(rung, nowMs);
    else return;
    this.#lastUpTo = -1;
  }

  /** The less a rung takes, the sooner it is tried again: where several share a path, the smaller ones catch up. */
  #firstPenalty(rung: number): number {
    const share = (this.#rungs[rung]?.bitrateBps ?? 0) / PENALTY_BPS;
    return PENALTY_MS * Math.min(1.5, Math.max(0.3, share));
  }

  #pausing(now: Situation): Decision | undefined {
    const { nowMs, estimateBps, otherBps, cause } = now;
    const lowest = this.#rungs[0]?.bitrateBps ?? 0;
    if (this.#paused) {
      const share = this.#rungs.length > 1 ? RESUME_SHARE : RESUME_SHARE_ALONE;
      if (estimateBps < share * this.#needs(0, now)) return undefined;
      this.#paused = false;
      this.#scarceSinceMs = undefined;
      this.#freshSinceMs = nowMs;
      return { kind: "resume", reason: cause };
    }
    const share = this.#rungs.length > 1 ? PAUSE_SHARE : PAUSE_SHARE_ALONE;
    const scarce = now.limited && this.#current === 0 && estimateBps < otherBps + share * lowest;
    if (!scarce) this.#scarceSinceMs = undefined;
    else this.#scarceSinceMs ??= nowMs;
    if (this.#scarceSinceMs === undefined || nowMs - this.#scarceSinceMs < PAUSE_AFTER_MS) return undefined;
    this.#paused = true;
    return { kind: "pause", reason: cause };
  }

  #down(now: Situation): Decision | undefined {
    if (this.#current === 0 || this.#paused) return undefined;
    const { supplyFactor, bufferedSeconds } = now;
    if (now.limited && now.estimateBps < DOWN_SHARE * this.#needs(this.#current, now)) {
      this.#blame(true, now.nowMs);
      let to = this.#current - 1;
      while (to > 0 && DOWN_ROOM * this.#needs(to, now) > now.estimateBps) to--;
      return this.#go(to, now.cause, now.nowMs);
    }
    const slow = supplyFactor !== undefined && supplyFactor < 1 && bufferedSeconds < SHORT_BUFFER_SECONDS;
    if (!slow || now.nowMs - this.#lastSwitchMs < STABLE_MS) return undefined;
    this.#close(this.#current, now.nowMs);
    return this.#go(this.#current - 1, "supply", now.nowMs);
  }

  #up(now: Situation, top: number): Decision | undefined {
    const next = this.#paused ? 0 : this.#current + 1;
    if (next > top) return this.#regain(now);
    const { nowMs } = now;
    const first = nowMs - this.#freshSinceMs < FIRST_MS && now.troubledAtMs < this.#freshSinceMs;
    const stable = this.#mayAsk(now, this.#paused);
    if ((!first && !stable) || nowMs < (this.#closedUntilMs[next] ?? 0)) return undefined;
    const room = this.#shown(now) >= UP_ROOM * this.#needs(next, now);
    if (room && !this.#paused) {
      if (!first && nowMs - this.#lastSwitchMs < UP_INTERVAL_MS) return undefined;
      if (!this.#isSupplied(next, now)) return undefined;
      return this.#go(first ? this.#highest(now, top) : next, now.cause, nowMs);
    }
    if (!now.canProbe) return this.#try(next, now);
    if (nowMs < this.#nextProbeMs) return undefined;
    this.#nextProbeMs = nowMs + PROBE_INTERVAL_MS;
    this.#probedBps = PROBE_SHARE * this.#needs(next, now);
    // Sound goes on alone on a path that carries little: what it waits behind is to be little, too.
    if (this.#paused) this.#probedBps = Math.min(this.#probedBps, REGAIN_FACTOR * now.estimateBps);
    if (first) this.#probedBps = this.#firstProbe(top, now);
    return { kind: "probe", bps: this.#probedBps };
  }

  /** Nothing speaks against a probe: it has long been quiet, or what stands in the queue is not ours. */
  #mayAsk({ nowMs, troubledAtMs, queueMs }: Situation, starved: boolean): boolean {
    if (starved && queueMs < STARVED_QUEUE_MS) return true;
    return nowMs - troubledAtMs >= STABLE_MS && queueMs < CALM_QUEUE_MS;
  }

  /** Pictures are left out, and so little is sent that the estimate cannot grow by it: more is shown by probes. */
  #regain(now: Situation): Decision | undefined {
    const { nowMs, estimateBps } = now;
    const needed = this.#needs(this.#current, now);
    if (!now.limited || estimateBps >= needed || !now.canProbe || nowMs < this.#nextProbeMs) return undefined;
    if (!this.#mayAsk(now, estimateBps < STARVED_SHARE * needed)) return undefined;
    this.#nextProbeMs = nowMs + PROBE_INTERVAL_MS;
    this.#probedBps = Math.min(PROBE_SHARE * needed, REGAIN_FACTOR * estimateBps);
    return { kind: "probe", bps: this.#probedBps };
  }

  /** What a step up may rely on: an estimate that has grown by itself is a guess where probes can show more. */
  #shown({ canProbe, estimateBps, nowMs }: Situation): number {
    if (!canProbe) return estimateBps;
    return nowMs < this.#shownUntilMs ? Math.min(estimateBps, this.#shownBps) : 0;
  }

  /** Nothing is known yet: much is asked at once, as far as it is of use. */
  #firstProbe(top: number, now: Situation): number {
    const most = PROBE_SHARE * this.#needs(top, now);
    return Math.min(most, Math.max(this.#probedBps, FIRST_PROBE_FACTOR * now.estimateBps));
  }

  /** Without probes the next rung is tried now and then. */
  #try(next: number, now: Situation): Decision | undefined {
    const quietSinceMs = Math.max(now.troubledAtMs, this.#lastSwitchMs);
    if (this.#paused || now.nowMs - quietSinceMs < TRIAL_MS || !this.#isSupplied(next, now)) return undefined;
    return this.#go(next, "trial", now.nowMs);
  }

  #highest(now: Situation, top: number): number {
    let to = this.#current + 1;
    while (to < top && this.#shown(now) >= UP_ROOM * this.#needs(to + 1, now)) to++;
    return to;
  }

  /** Content that comes too slowly for the next rung leaves it where it is. */
  #isSupplied(next: number, { supplyFactor }: Situation): boolean {
    if (supplyFactor === undefined) return true;
    const more =
      (this.#rungs[next]?.bitrateBps ?? 0) / Math.max(1, this.#rungs[this.#current]?.bitrateBps ?? 1);
    return supplyFactor >= SUPPLY_ROOM * more;
  }
}

/** The highest rung that the limits let through, at least the lowest. */
export function topRung(rungs: readonly Rung[], wish: QualityWish, otherBps: number): number {
  let top = rungs.length - 1;
  const named = rungs.findIndex(({ name }) => name === wish.maxRung);
  if (named >= 0) top = Math.min(top, named);
  const { maxBitrateBps, view } = wish;
  if (maxBitrateBps !== undefined) {
    while (top > 0 && (rungs[top]?.bitrateBps ?? 0) + otherBps > maxBitrateBps) top--;
  }
  // The smallest that fills the view is the best one of use.
  const enough = view === undefined ? -1 : rungs.findIndex(rung => fills(rung, view));
  return enough < 0 ? top : Math.min(top, enough);
}

function fills(rung: Rung | undefined, view: { readonly width: number; readonly height: number }): boolean {
  if (rung === undefined || rung.width <= 0 || rung.height <= 0) return false;
  // The picture is fitted into the view: it is large enough when one side reaches it.
  return rung.width >= view.width || rung.height >= view.height;
}

/** The rung to begin with for a path of that rate: the highest that fits, at least the lowest. */
export function firstRung(
  rungs: readonly Rung[],
  init: { readonly wish: QualityWish; readonly bandwidthBps: number; readonly otherBps: number },
): number {
  const { wish, bandwidthBps, otherBps } = init;
  const fixed = rungs.findIndex(({ name }) => name === wish.rung);
  if (fixed >= 0) return fixed;
  let at = topRung(rungs, wish, otherBps);
  while (at > 0 && DOWN_ROOM * ((rungs[at]?.bitrateBps ?? 0) + otherBps) > bandwidthBps) at--;
  return at;
}
