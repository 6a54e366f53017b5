import type { QualityLevel } from "../types.ts";

/** Levels from the least demanding up. A rendition that bears no level's name is the source, which stands above all. */
const LEVELS: readonly QualityLevel[] = ["very_low", "low", "medium", "high", "very_high"];

/** The levels that lead to a rendition of their own; the source above all of them is the highest. */
export function levelsOf(names: readonly string[]): QualityLevel[] {
  if (names.length < 2) return [];
  const above = names.some(name => rankOf(name) === LEVELS.length) ? LEVELS.at(-1) : undefined;
  return ["auto", ...LEVELS.filter(level => names.includes(level) || level === above)];
}

/** The rendition of that level, or the next one above it that there is, or the best. */
export function rungOfLevel(names: readonly string[], level: QualityLevel): string | undefined {
  return names.find(name => rankOf(name) >= rankOf(level)) ?? names.at(-1);
}

/** The best rendition that is no better than that level, else the least. */
export function rungWithin(names: readonly string[], level: QualityLevel): string | undefined {
  return names.findLast(name => rankOf(name) <= rankOf(level)) ?? names[0];
}

/** True for the name of a level. */
export function isLevel(name: string): boolean {
  return rankOf(name) < LEVELS.length;
}

/** The level that a rendition stands for. */
export function levelOfRung(name: string): QualityLevel {
  return LEVELS[Math.min(rankOf(name), LEVELS.length - 1)] ?? "very_high";
}

function rankOf(name: string): number {
  const at = LEVELS.findIndex(known => known === name);
  return at < 0 ? LEVELS.length : at;
}
