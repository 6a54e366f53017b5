/** What the node tells of a session beside what the browser measures. */
export interface NodeFigures {
  /** What the path is thought to carry, bits per second; undefined while nothing is known of it. */
  readonly estimateBps: number | undefined;
  /** How many pictures the node leaves out because it cannot encode all: 0 none, 4 all but one a second. */
  readonly paceLevel: number;
  /** The newest last. */
  readonly decisions: readonly QualityDecision[];
}

/** A change of quality, and why. */
export interface QualityDecision {
  /** Seconds since 1970. */
  readonly time: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** Decisions that are shown. */
const MAX_DECISIONS = 5;

/** Reads `connection_stats` of a node of any age: what is not there is not told. */
export function readNodeFigures(stats: Readonly<Record<string, unknown>>): NodeFigures {
  const estimate = stats["bandwidth_estimate"];
  const decisions = Array.isArray(stats["decisions"]) ? (stats["decisions"] as readonly unknown[]) : [];
  const pace = stats["encoder_pace_level"];
  return {
    paceLevel: typeof pace === "number" ? pace : 0,
    estimateBps: typeof estimate === "number" && estimate > 0 ? estimate : undefined,
    decisions: decisions.slice(-MAX_DECISIONS).flatMap(readDecision),
  };
}

function readDecision(entry: unknown): QualityDecision[] {
  if (typeof entry !== "object" || entry === null) return [];
  const { time, event, from, to, reason } = entry as Readonly<Record<string, unknown>>;
  if (typeof time !== "number") return [];
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return [{ time, from: text(from), to: text(to) || text(event), reason: text(reason) }];
}
