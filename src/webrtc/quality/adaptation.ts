import type { BandwidthEstimator } from "../congestion/index.ts";
import { DecisionLog } from "./decision-log.ts";
import { Prober } from "./prober.ts";
import { type Decision, RungDecider } from "./rung-decider.ts";
import type { SupplyMeter } from "./supply-meter.ts";
import type { QualityDecision, QualityEventKind, QualityReason, QualityWish, Rung } from "./types.ts";

/** Time between two decisions, ms: where there is a choice, and where there is none. */
const DECIDE_MS = 50;
const WATCH_MS = 250;
/** Longest that the first segment of a higher rung may take, as a share of the media in it: more is too slow to play. */
const PREFETCH_SHARE = 0.8;
/** Least time between two entries that tell of our own loop's lateness, ms: a machine that is too slow is so all the time. */
const LATE_INTERVAL_MS = 5000;
/** Longest wait for the first segment of a higher rung, ms: it is played then if it came quickly enough. */
const PREFETCH_TIMEOUT_MS = 4000;

/** What adaptation steers: the pictures of a viewer. */
export interface AdaptedPictures {
  readonly rung: string | undefined;
  readonly skipping: boolean;
  switchRung(rung: string, bitrateBps: number, from?: "next" | "sooner"): void;
  refuseRung(): void;
  pause(paused: boolean): void;
}

/** What adaptation knows of a viewer's path. */
export interface AdaptedPath {
  readonly estimator: BandwidthEstimator;
  readonly roundTripMs: number | undefined;
  readonly jitterMs: number | undefined;
  /** True when it can be filled with what is of no use otherwise. */
  readonly canPad: boolean;
  pad(bytes: number): boolean;
}

export interface AdaptationInit {
  /** From the least demanding up; one where there is no choice. */
  readonly rungs: readonly Rung[];
  readonly first: number;
  readonly wish: QualityWish;
  /** What is sent beside the pictures, bits per second. */
  readonly otherBps: number;
  readonly pictures: AdaptedPictures;
  /** Seconds of media here beyond the place that is played. */
  readonly bufferedSeconds: (nowMs: number) => number;
  readonly supply: SupplyMeter;
  readonly nowMs: number;
  /** Milliseconds since 1970 at `nowMs`. */
  readonly wallMs: number;
  readonly onDecision: (decision: QualityDecision) => void;
}

/** Fits what a viewer is sent to its path and to what the content supplies. Without a clock: every call names its time. */
export class Adaptation {
  readonly log = new DecisionLog();
  readonly #init: AdaptationInit;
  readonly #decider: RungDecider;
  #path: AdaptedPath | undefined;
  #prober: Prober | undefined;
  #nextMs = 0;
  #lagMs = 0;
  #lateMs = Number.NEGATIVE_INFINITY;
  #skipping = false;
  #upSinceMs: number | undefined;
  #changes = 0;
  #countedMs: number | undefined;

  constructor(init: AdaptationInit) {
    this.#init = init;
    const { rungs, first, wish, nowMs } = init;
    this.#decider = new RungDecider({ rungs, first, wish, nowMs });
  }

  /** Seconds that each rung was wanted for while its session was connected. */
  readonly rungSeconds = new Map<string, number>();

  /** Rungs changed so far. */
  get changes(): number {
    return this.#changes;
  }

  /** True while sound goes on without pictures. */
  get picturesPaused(): boolean {
    return this.#decider.paused;
  }

  /** Number of the probe that what leaves now belongs to. */
  get cluster(): number {
    return this.#prober?.cluster ?? 0;
  }

  /** The viewer can be sent to. */
  connect(path: AdaptedPath, nowMs: number, reason: QualityReason): void {
    this.#path = path;
    this.#prober = new Prober({ clusters: path.estimator.probes, pad: bytes => path.pad(bytes) });
    this.#tell("start", { from: undefined, to: this.#name(this.#decider.current), reason, nowMs });
  }

  /** A packet leaves. */
  onSent(bytes: number): void {
    this.#prober?.onSent(bytes);
  }

  set wish(wish: QualityWish) {
    this.#decider.wish = wish;
    this.#nextMs = 0;
  }

  /** Something that others have seen: it stands in the log. */
  note(kind: QualityEventKind, reason: QualityReason, nowMs: number): void {
    this.#tell(kind, { from: this.#init.pictures.rung, to: this.#init.pictures.rung, reason, nowMs });
  }

  /** Our own loop was late by so much. */
  late(lagMs: number, nowMs: number): void {
    if (nowMs - this.#lateMs < LATE_INTERVAL_MS) return;
    this.#lateMs = nowMs;
    this.#lagMs = Math.round(lagMs);
    this.note("late", "cpu", nowMs);
  }

  /** A rung that was wanted is here; false when it came too slowly to be played. */
  accepts(tookMs: number, mediaSeconds: number): boolean {
    return this.#upSinceMs === undefined || tookMs <= mediaSeconds * 1000 * PREFETCH_SHARE;
  }

  /** The first picture of a rung leaves. */
  shown(rung: string): void {
    if (rung === this.#name(this.#decider.current)) this.#upSinceMs = undefined;
    this.#changes++;
  }

  /** A rung cannot be had. */
  failed(rung: string, nowMs: number): void {
    this.#upSinceMs = undefined;
    const { rungs, pictures } = this.#init;
    const place = rungs.findIndex(({ name }) => name === rung);
    const shown = rungs.findIndex(({ name }) => name === pictures.rung);
    this.#decider.refuse(place, Math.max(0, shown), nowMs);
    this.#tell("refused", { from: pictures.rung, to: rung, reason: "supply", nowMs });
  }

  /** Called every few milliseconds, after what is due has left. */
  tick(nowMs: number): void {
    this.#prober?.tick(nowMs);
    if (nowMs < this.#nextMs || this.#path === undefined) return;
    this.#nextMs = nowMs + (this.#init.rungs.length > 1 ? DECIDE_MS : WATCH_MS);
    this.#count(nowMs);
    const { estimator } = this.#path;
    const result = estimator.takeProbe(nowMs);
    if (result?.kind === "measured") this.#decider.probed(result, nowMs);
    this.#watch(nowMs);
    const decision = this.#decider.decide({
      nowMs,
      estimateBps: estimator.estimateBps,
      limited: estimator.limitBps(nowMs) !== undefined,
      troubledAtMs: estimator.troubledAtMs,
      cause: reasonOf(estimator),
      queueMs: estimator.queueMs,
      otherBps: this.#init.otherBps,
      canProbe: this.#path.canPad && estimator.hasFeedback,
      bufferedSeconds: this.#init.bufferedSeconds(nowMs),
      supplyFactor: this.#init.supply.factor,
    });
    if (decision !== undefined) this.#act(decision, nowMs);
  }

  #act(decision: Decision, nowMs: number): void {
    const { pictures, rungs } = this.#init;
    const from = pictures.rung;
    if (decision.kind === "probe") {
      this.#prober?.start(decision.bps, nowMs);
    } else if (decision.kind === "switch") {
      const to = rungs[decision.to];
      if (to === undefined) return;
      const before = rungs.findIndex(({ name }) => name === from);
      const up = decision.to > before;
      this.#upSinceMs = up && decision.reason !== "viewer" ? nowMs : undefined;
      // What the path no longer carries is left as soon as can be.
      const urgent = !up && this.#path?.estimator.limitBps(nowMs) !== undefined;
      pictures.switchRung(to.name, to.bitrateBps, urgent ? "sooner" : "next");
      const kind =
        decision.reason === "viewer" || decision.reason === "limit" ? "chosen" : up ? "up" : "down";
      if (to.name !== from) this.#tell(kind, { from, to: to.name, reason: decision.reason, nowMs });
    } else {
      pictures.pause(decision.kind === "pause");
      const kind = decision.kind === "pause" ? "pictures_paused" : "pictures_resumed";
      this.#tell(kind, { from, to: from, reason: decision.reason, nowMs });
    }
  }

  #count(nowMs: number): void {
    const { rung = this.#name(0) } = this.#init.pictures;
    if (rung !== undefined && this.#countedMs !== undefined) {
      const seconds = (nowMs - this.#countedMs) / 1000;
      this.rungSeconds.set(rung, (this.rungSeconds.get(rung) ?? 0) + seconds);
    }
    this.#countedMs = nowMs;
  }

  #watch(nowMs: number): void {
    const { pictures } = this.#init;
    if (this.#upSinceMs !== undefined && nowMs - this.#upSinceMs > PREFETCH_TIMEOUT_MS) pictures.refuseRung();
    if (pictures.skipping === this.#skipping) return;
    this.#skipping = pictures.skipping;
    const estimator = this.#path?.estimator;
    if (this.#decider.paused || estimator === undefined) return;
    this.note(this.#skipping ? "skipping" : "caught_up", reasonOf(estimator), nowMs);
  }

  #name(rung: number): string | undefined {
    return this.#init.rungs[rung]?.name;
  }

  #tell(
    kind: QualityEventKind,
    what: Pick<QualityDecision, "from" | "to" | "reason"> & { readonly nowMs: number },
  ): void {
    const { nowMs, ...rest } = what;
    const estimator = this.#path?.estimator;
    const entry: QualityDecision = {
      atMs: Math.round(this.#init.wallMs + nowMs - this.#init.nowMs),
      kind,
      ...rest,
      estimateBps: estimator?.estimateBps ?? 0,
      lossShare: estimator?.lossShare(nowMs) ?? 0,
      roundTripMs: this.#path?.roundTripMs,
      jitterMs: this.#path?.jitterMs,
      queueMs: estimator?.queueMs ?? 0,
      bufferedSeconds: this.#init.bufferedSeconds(nowMs),
      supplyFactor: this.#init.supply.factor,
      lagMs: this.#lagMs,
    };
    this.log.add(entry);
    this.#init.onDecision(entry);
  }
}

/** The estimator's own word, where it is one for programs. */
function reasonOf({ cause }: BandwidthEstimator): QualityReason {
  return cause === "start" || cause === "growth" || cause === "shown" ? "estimate" : cause;
}
