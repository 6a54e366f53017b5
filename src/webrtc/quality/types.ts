/** A rung as the controller weighs it. */
export interface Rung {
  readonly name: string;
  /** Pixels; 0 where unknown. */
  readonly width: number;
  readonly height: number;
  readonly bitrateBps: number;
}

/** What a viewer, its page and its token ask of the quality. */
export interface QualityWish {
  /** That rung and no other; undefined: the controller chooses. */
  readonly rung?: string | undefined;
  /** All tracks together, bits per second. */
  readonly maxBitrateBps?: number | undefined;
  /** Rungs above this one are not chosen. */
  readonly maxRung?: string | undefined;
  /** Largest picture of use, pixels of the long and the short side in whichever order. */
  readonly view?: { readonly width: number; readonly height: number } | undefined;
}

/** What a session's log tells of. */
export type QualityEventKind =
  | "start"
  | "up"
  | "down"
  | "chosen"
  | "refused"
  | "pictures_paused"
  | "pictures_resumed"
  | "skipping"
  | "caught_up"
  | "buffering"
  | "playing"
  | "late";

/** Why: one word that programs branch on. */
export type QualityReason =
  | "hint"
  | "estimate"
  | "probe"
  | "delay"
  | "loss"
  | "remb"
  | "viewer"
  | "limit"
  | "supply"
  | "cpu"
  | "trial";

/** One entry of a session's log: what changed, and what was known then. */
export interface QualityDecision {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly kind: QualityEventKind;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly reason: QualityReason;
  readonly estimateBps: number;
  /** 0 to 1, over the last two seconds. */
  readonly lossShare: number;
  readonly roundTripMs: number | undefined;
  readonly jitterMs: number | undefined;
  /** Delay of the path above its least, ms. */
  readonly queueMs: number;
  /** Seconds of media here beyond the place that is played. */
  readonly bufferedSeconds: number;
  /** How many seconds of media come from the content each second, while it is asked; undefined: not known. */
  readonly supplyFactor: number | undefined;
  /** How late our own loop was, ms. */
  readonly lagMs: number;
}
