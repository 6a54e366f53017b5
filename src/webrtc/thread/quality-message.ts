import type { QualityDecision, Rung } from "../quality/types.ts";

/** What a viewer is told of; the rest stands in the log. */
const TOLD: ReadonlySet<QualityDecision["kind"]> = new Set([
  "start",
  "up",
  "down",
  "chosen",
  "pictures_paused",
  "pictures_resumed",
]);

/** The event of media control that tells a viewer of a decision; undefined for one that changes nothing it sees. */
export function qualityMessage(
  { kind, to, reason, estimateBps }: QualityDecision,
  rungs: readonly Rung[],
  paused: boolean,
): object | undefined {
  if (!TOLD.has(kind)) return undefined;
  const rung = rungs.find(({ name }) => name === to);
  const size = rung === undefined ? {} : { rung: rung.name, width: rung.width, height: rung.height };
  return {
    type: "quality",
    change: kind,
    pictures: paused ? "paused" : "sent",
    reason,
    estimateBps,
    ...size,
  };
}
