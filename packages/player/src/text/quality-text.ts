/** Levels of quality in words for people. */
const NAMES: Readonly<Record<string, string>> = {
  auto: "Auto",
  very_low: "240p",
  low: "360p",
  medium: "480p",
  high: "720p",
  very_high: "Highest",
};

/** A level of quality as the menu shows it. */
export function qualityText(level: string): string {
  return NAMES[level] ?? level;
}
