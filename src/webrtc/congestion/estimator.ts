import { ProbeClusters, type ProbeResult } from "./probe-clusters.ts";
import { Trendline, type Usage } from "./trendline.ts";
import { RecentRate, SlidingMinimum, SlidingSum } from "./windows.ts";

/** Packets that may wait for feedback: eleven seconds at 2.5 Mbit/s. */
const SENT_RING = 4096;
/** Packets sent within this are one group: what a pacer lets out at once says nothing of the path, ms. */
const GROUP_MS = 5;
const UNITS_PER_MS = 4;
/** A distance between groups beyond this is a pause, not a queue, ms. */
const MAX_GROUP_DISTANCE_MS = 3000;
const MIN_BPS = 80_000;
const MAX_BPS = 50_000_000;
const START_BPS = 1_000_000;
/** What a decrease by loss leaves. */
const DECREASE = 0.85;
const GROWTH_PER_SECOND = 1.08;
/**
 * Who shares a path that is the limit gains so many bits per second in each, whatever it has, and gives way by a share that grows
 * with it, within these bounds: so shares become equal. @see https://doi.org/10.1016/0169-7552(89)90019-6
 */
const LIMITED_GROWTH_BPS = 100_000;
const DECREASE_PER_BPS = 0.075 / 1_000_000;
const LEAST_LEFT = 0.7;
const MOST_LEFT = 0.95;
/** An estimate grows no further than this above what arrives: more has not been shown. */
const SHOWN_FACTOR = 1.5;
const SHOWN_FLOOR_BPS = 10_000;
const HIGH_LOSS = 0.1;
/** Loss where no queue stands, of a radio link for instance: it has to be more, and of more packets, to be of our making. */
const HIGH_LOSS_UNQUEUED = 0.2;
const UNQUEUED_PACKETS = 100;
const LOSS_WINDOW_MS = 2000;
/** Share of loss from which on a path counts as one that loses at random. */
const RANDOM_LOSS = 0.01;
const MUCH_RANDOM_LOSS = 0.03;
const LOW_LOSS = 0.02;
/** Fewest packets that a share of loss is taken from. */
const LOSS_PACKETS = 20;
const LOSS_INTERVAL_MS = 300;
/** Delay above the path's least that is a queue and not jitter, ms. */
const QUEUE_MS = 25;
/**
 * How long the path counts as the limit after it has shown itself to be, ms. Each time that it shows itself to be the limit again
 * soon after, twice as long.
 */
const LIMITED_MS = 4000;
const MAX_LIMITED_MS = 32_000;
/**
 * A queue that stands, that is, does not go between two pictures: its least over a fifth of a second, ms. What comes and goes is
 * a large picture, a busy viewer or somebody else's; only a queue that stands is too much being sent.
 */
const STANDING_MS = 15;
/** A standing queue that makes the path the limit, ms. */
const LIMITING_QUEUE_MS = 40;
/** A standing queue that has grown since the last message beyond this needs no trend to be believed, ms. */
const SUDDEN_QUEUE_MS = 70;
/** Who sends little bears up to so much more of it: it is somebody else's keyframe, more often than not. */
const MOST_SUDDEN = 2;
/**
 * How long a queue that grows slowly must stand before it is acted on, ms: what others send now and then goes by itself. Who
 * sends less than that rate waits longer, by this power of the ratio and up to so many times: where several share a path, the
 * largest gives way first.
 */
const PATIENCE_MS = 400;
const PATIENT_BELOW_BPS = 2_500_000;
const PATIENCE_EXPONENT = 3;
const MOST_PATIENT = 6;
/** However little has come out lately: what others send may be gone a moment later. The next decrease is near. */
const SUDDEN_LEAST_SHARE = 0.65;
/** Loss that there always is has nothing to do with what is sent: the least over this time, ms. */
const USUAL_LOSS_MS = 5000;
/** A queue of this much lets nothing but the least share out, ms. */
const FULL_QUEUE_MS = 500;
const LEAST_SHARE = 0.3;
const UNKNOWN_ROUND_TRIP_MS = 100;
/** A probe of which less than this share arrives in its time has met what the path carries; how long that is believed, ms. */
const CEILING_SHARE = 0.97;
const CEILING_MS = 30_000;
/**
 * What has waited and then comes so many times faster than it is sent was held up by a viewer, a radio or a sender that was busy
 * for a moment: a path that is full lets nothing through faster than it carries.
 */
const HELD_UP_FACTOR = 2;

/** Why an estimate is what it is: the last thing that moved it. */
export type EstimateCause = "start" | "growth" | "shown" | "delay" | "loss" | "remb" | "probe" | "hint";

export interface EstimatorInit {
  readonly startBps?: number | undefined;
}

/**
 * What a viewer's path carries, in bits per second: from transport-wide feedback by the trend of delay and by loss; from
 * REMB and receiver reports when there is none. It has no clock: every call names its time, ms.
 */
export class BandwidthEstimator {
  readonly #sentAt = new Float64Array(SENT_RING).fill(Number.NaN);
  readonly #sizes = new Uint16Array(SENT_RING);
  readonly #sequences = new Int32Array(SENT_RING).fill(-1);
  readonly #reportedLost = new Uint8Array(SENT_RING);
  /** The probe that a packet belongs to; 0: none. */
  readonly #clusters = new Uint8Array(SENT_RING);
  readonly #trend = new Trendline();
  /** Probes under way: opened, filled and closed by who sends them. */
  readonly probes = new ProbeClusters();
  readonly #sentBytes = new SlidingSum(1000, 10);
  readonly #arrivedBytes = new SlidingSum(500, 10);
  readonly #arrived = new SlidingSum(LOSS_WINDOW_MS, 10);
  readonly #lost = new SlidingSum(LOSS_WINDOW_MS, 10);
  readonly #leastDelay = new SlidingMinimum(20_000, 10);
  readonly #leastQueue = new SlidingMinimum(200, 4);
  readonly #usualLoss = new SlidingMinimum(USUAL_LOSS_MS, 5);
  /** Arrivals of this message and the ones just before: how fast they come now. */
  readonly #recent = new RecentRate();
  #standingMs = 0;
  #ceilingBps: number | undefined;
  #ceilingMs = Number.NEGATIVE_INFINITY;
  #standsSinceMs: number | undefined;
  #firstLossMs: number | undefined;
  #group: { sentFirst: number; sentLast: number; arrived: number } | undefined;
  #before: { sentLast: number; arrived: number } | undefined;
  #estimate: number;
  #cause: EstimateCause = "start";
  #nowMs = 0;
  #queueMs = 0;
  #roundTripMs = UNKNOWN_ROUND_TRIP_MS;
  #lastDecreaseMs = Number.NEGATIVE_INFINITY;
  #limitedMs = LIMITED_MS;
  /** What the path carries at most, where that was met lately. */
  ceilingBps(nowMs: number): number | undefined {
    return nowMs - this.#ceilingMs < CEILING_MS ? this.#ceilingBps : undefined;
  }

  /** When the path last showed itself to be the limit. */
  #limitedSinceMs = Number.NEGATIVE_INFINITY;
  #lastGrowthMs = Number.NaN;
  #feedback = false;

  constructor(init: EstimatorInit = {}) {
    this.#estimate = init.startBps ?? START_BPS;
  }

  get estimateBps(): number {
    return Math.round(this.#estimate);
  }

  get cause(): EstimateCause {
    return this.#cause;
  }

  get usage(): Usage {
    return this.#trend.usage;
  }

  /** Delay of the path above its least, smoothed, ms. */
  get queueMs(): number {
    return this.#queueMs;
  }

  /** Share lost over the last two seconds, 0 to 1. */
  lossShare(nowMs: number): number {
    const lost = this.#lost.total(nowMs);
    const all = lost + this.#arrived.total(nowMs);
    return all < LOSS_PACKETS ? 0 : lost / all;
  }

  /** How many copies of a lost packet are to go, 1 to 3: a path that loses at random and is not full may lose one of them, too. */
  copiesOfLost(nowMs: number): number {
    const share = this.lossShare(nowMs);
    if (share < RANDOM_LOSS || share > HIGH_LOSS_UNQUEUED || this.limitBps(nowMs) !== undefined) return 1;
    return share < MUCH_RANDOM_LOSS ? 2 : 3;
  }

  /** Bits per second that arrived over the last half second. */
  arrivedBps(nowMs: number): number {
    return this.#arrivedBytes.perSecond(nowMs) * 8;
  }

  /** The rate to stay under while the path is the limit, less while its queue drains; undefined while it is none. */
  limitBps(nowMs: number): number | undefined {
    if (nowMs - this.#limitedSinceMs >= this.#limitedMs) return undefined;
    // What has just gone is not drained once more.
    const queueMs = Math.min(this.#queueMs, this.#standingMs);
    if (queueMs < QUEUE_MS) return this.#estimate;
    return this.#estimate * Math.max(LEAST_SHARE, 1 - queueMs / FULL_QUEUE_MS);
  }

  /** When the path last showed itself to be the limit, ms; minus infinity: never. */
  get troubledAtMs(): number {
    return this.#limitedSinceMs;
  }

  /** True once the viewer has said anything of what arrives. */
  get hasFeedback(): boolean {
    return this.#feedback;
  }

  /** Smoothed time from sending to hearing of it, ms. */
  get feedbackDelayMs(): number {
    return this.#roundTripMs;
  }

  /** `cluster`: the probe that the packet belongs to. */
  onSent(sequence: number, bytes: number, nowMs: number, cluster = 0): void {
    const at = sequence % SENT_RING;
    this.#sentAt[at] = nowMs;
    this.#sizes[at] = bytes;
    this.#sequences[at] = sequence;
    this.#sentBytes.add(bytes, nowMs);
    this.#reportedLost[at] = 0;
    this.#clusters[at] = cluster;
    if (cluster !== 0) this.probes.onSent(cluster, bytes, nowMs);
  }

  /** A feedback message begins. */
  onFeedbackBegin(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#feedback = true;
  }

  /** One packet of it: when it arrived, units of 250 µs on the viewer's clock; undefined: not yet. */
  onArrival(sequence: number, arrivedUnits: number | undefined): void {
    const at = sequence % SENT_RING;
    if (this.#sequences[at] !== sequence) return;
    const now = this.#nowMs;
    if (arrivedUnits === undefined) {
      if (this.#reportedLost[at] === 0) this.#lost.add(1, now);
      this.#reportedLost[at] = 1;
      return;
    }
    this.#sequences[at] = -1;
    if (this.#reportedLost[at] === 1) this.#lost.add(-1, now);
    this.#arrived.add(1, now);
    const sent = this.#sentAt[at] ?? now;
    const arrived = arrivedUnits / UNITS_PER_MS;
    const cluster = this.#clusters[at] ?? 0;
    this.#recent.add(this.#sizes[at] ?? 0, arrived);
    if (cluster !== 0) {
      // The queue that a probe makes is its own: it says nothing of what the media does.
      this.probes.onArrival(cluster, this.#sizes[at] ?? 0, arrived);
      return;
    }
    this.#arrivedBytes.add(this.#sizes[at] ?? 0, now);
    this.#leastDelay.add(arrived - sent, now);
    const queue = Math.max(0, arrived - sent - this.#leastDelay.value);
    this.#queueMs += (queue - this.#queueMs) * 0.1;
    this.#leastQueue.add(queue, now);
    this.#roundTripMs += (Math.max(1, now - sent) - this.#roundTripMs) * 0.02;
    this.#join(sent, arrived);
  }

  /**
   * What a probe has shown, each once; an estimate that it proves too low has been raised. A path that was the limit stays it for
   * its time: more than before is not all that is asked for.
   */
  takeProbe(nowMs: number): ProbeResult | undefined {
    const result = this.probes.take(nowMs);
    if (result?.kind === "measured") this.#meet(result, nowMs);
    if (result?.kind === "measured" && result.bps > this.#estimate) {
      this.#set(result.bps, "probe");
      this.#lastGrowthMs = nowMs;
    }
    return result;
  }

  /** A probe that came more slowly than it was sent has met what the path carries at most; one that did not says that it is more. */
  #meet({ bps, sentBps }: ProbeResult, nowMs: number): void {
    if (bps < CEILING_SHARE * sentBps) {
      this.#ceilingBps = bps;
      this.#ceilingMs = nowMs;
    } else if (bps > (this.#ceilingBps ?? bps)) this.#ceilingBps = undefined;
  }

  onFeedbackEnd(): void {
    const now = this.#nowMs;
    const arrived = this.arrivedBps(now);
    const before = this.#standingMs;
    const standing = this.#leastQueue.value;
    this.#standingMs = Number.isFinite(standing) ? standing : 0;
    const sentBps = this.#sentBytes.perSecond(now) * 8;
    const smallness = Math.max(1, PATIENT_BELOW_BPS / Math.max(1, arrived, sentBps));
    const patience = Math.min(MOST_PATIENT, smallness ** PATIENCE_EXPONENT);
    const suddenMs = SUDDEN_QUEUE_MS * Math.min(MOST_SUDDEN, smallness);
    const sudden = this.#standingMs > suddenMs && this.#standingMs > before;
    if (this.#standingMs <= STANDING_MS) this.#standsSinceMs = undefined;
    else this.#standsSinceMs ??= now;
    const stands = this.#standsSinceMs !== undefined && now - this.#standsSinceMs >= PATIENCE_MS * patience;
    // While a queue stands, what comes out of it is what the path carries, whatever was sent.
    const carried = this.#recent.bps ?? arrived;
    const heldUp = carried > HELD_UP_FACTOR * sentBps;
    if (!heldUp && (sudden || (this.#trend.usage === "over" && stands))) {
      const left = leftOf(Math.max(arrived, sentBps));
      const least = (sudden ? Math.min(left, SUDDEN_LEAST_SHARE) : left) * arrived;
      this.#decrease(Math.max(left * carried, least), "delay");
    } else this.#weighLoss(this.lossShare(now), arrived);
  }

  /** The viewer's own estimate, taken when it sends no transport-wide feedback. */
  onRemb(bps: number, nowMs: number): void {
    if (this.#feedback || !(bps > 0)) return;
    if (bps < this.#estimate) this.#limit(nowMs);
    this.#set(bps, "remb");
  }

  /** Loss as a receiver report has it, 0 to 1, taken when there is no transport-wide feedback. */
  onReportedLoss(share: number, sentBps: number, nowMs: number): void {
    if (this.#feedback) return;
    this.#nowMs = nowMs;
    this.#weighLoss(share, sentBps * (1 - share));
  }

  #join(sent: number, arrived: number): void {
    const group = this.#group;
    if (group === undefined) {
      this.#group = { sentFirst: sent, sentLast: sent, arrived };
    } else if (sent < group.sentFirst) {
      // It was overtaken: its delay is in the group it belonged to, or nowhere.
    } else if (sent - group.sentFirst <= GROUP_MS) {
      group.sentLast = Math.max(group.sentLast, sent);
      group.arrived = Math.max(group.arrived, arrived);
    } else {
      this.#close(group);
      this.#before = { sentLast: group.sentLast, arrived: group.arrived };
      group.sentFirst = group.sentLast = sent;
      group.arrived = arrived;
    }
  }

  #close(group: { readonly sentLast: number; readonly arrived: number }): void {
    const before = this.#before;
    if (before === undefined) return;
    const sent = group.sentLast - before.sentLast;
    const arrived = group.arrived - before.arrived;
    if (arrived < 0 || arrived > MAX_GROUP_DISTANCE_MS || sent > MAX_GROUP_DISTANCE_MS) return;
    this.#trend.add(sent, arrived, group.arrived);
  }

  #weighLoss(share: number, arrivedBps: number): void {
    const now = this.#nowMs;
    this.#usualLoss.add(share, now);
    this.#firstLossMs ??= now;
    const usual = now - this.#firstLossMs < USUAL_LOSS_MS ? 0 : this.#usualLoss.value;
    if (share - usual > this.#tolerated(now)) {
      if (now - this.#lastDecreaseMs < LOSS_INTERVAL_MS) return;
      // Loss alone takes no more than half its share, and not what arrives all the same.
      this.#decrease(Math.max(DECREASE * arrivedBps, this.#estimate * (1 - share / 2)), "loss");
    } else if (share - usual < LOW_LOSS && this.#trend.usage === "normal") {
      this.#grow(arrivedBps);
    } else {
      // What arrives all the same has been shown.
      if (this.#trend.usage === "normal" && arrivedBps > this.#estimate) this.#set(arrivedBps, "shown");
      this.#lastGrowthMs = this.#nowMs;
    }
  }

  /** Share of loss that is borne. Without transport-wide feedback nothing is known of a queue. */
  #tolerated(now: number): number {
    if (!this.#feedback || this.#standingMs > STANDING_MS) return HIGH_LOSS;
    const packets = this.#lost.total(now) + this.#arrived.total(now);
    return packets < UNQUEUED_PACKETS ? 1 : HIGH_LOSS_UNQUEUED;
  }

  #decrease(to: number, cause: EstimateCause): void {
    const now = this.#nowMs;
    this.#lastGrowthMs = now;
    // One decrease per response: what follows within a round trip has been sent before it.
    if (now - this.#lastDecreaseMs < Math.min(500, this.#roundTripMs + 100)) return;
    if (cause === "loss" || this.#standingMs > LIMITING_QUEUE_MS) this.#limit(now);
    this.#lastDecreaseMs = now;
    if (to < this.#estimate) this.#set(to, cause);
  }

  #limit(now: number): void {
    const since = now - this.#limitedSinceMs;
    this.#limitedSinceMs = now;
    if (since > 2 * MAX_LIMITED_MS) this.#limitedMs = LIMITED_MS;
    else if (since >= this.#limitedMs) this.#limitedMs = Math.min(MAX_LIMITED_MS, this.#limitedMs * 2);
  }

  #grow(arrivedBps: number): void {
    const now = this.#nowMs;
    const seconds = Number.isNaN(this.#lastGrowthMs) ? 0 : Math.min(1, (now - this.#lastGrowthMs) / 1000);
    this.#lastGrowthMs = now;
    const shown = SHOWN_FACTOR * arrivedBps + SHOWN_FLOOR_BPS;
    if (arrivedBps > this.#estimate) this.#set(arrivedBps, "shown");
    else if (this.#estimate < shown) {
      const limited = this.limitBps(now) !== undefined;
      const grown = limited
        ? this.#estimate + LIMITED_GROWTH_BPS * seconds
        : this.#estimate * GROWTH_PER_SECOND ** seconds;
      this.#set(Math.min(shown, grown), "growth");
    }
  }

  #set(bps: number, cause: EstimateCause): void {
    this.#estimate = Math.min(MAX_BPS, Math.max(MIN_BPS, bps));
    this.#cause = cause;
  }
}

/** What a queue that stands leaves of a rate, as a share of it. */
function leftOf(bps: number): number {
  return Math.min(MOST_LEFT, Math.max(LEAST_LEFT, 1 - DECREASE_PER_BPS * bps));
}
