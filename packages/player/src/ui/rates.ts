import { MAX_RATE, MIN_RATE, MAX_SOUND_RATE, MIN_SOUND_RATE } from "@cidcast/client";

/** Rates that the player offers, seconds of media per second. */
export const RATES: readonly number[] = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 3, 4];

/** The rate one step slower or faster than `rate`; the slowest and the fastest stay as they are. */
export function nextRate(rate: number, by: 1 | -1): number {
  const beyond = by > 0 ? RATES.find(other => other > rate) : RATES.findLast(other => other < rate);
  return beyond ?? rate;
}

/** A rate as people write it: `1.5×`. */
export function rateText(rate: number): string {
  return `${rate}×`;
}

/** Throws `RangeError` for a rate that no node plays. */
export function checkRate(rate: number): void {
  if (rate >= MIN_RATE && rate <= MAX_RATE) return;
  throw new RangeError(`A rate lies between ${MIN_RATE} and ${MAX_RATE}`);
}

/** A rate in words, and that it is silent where it is. */
export function rateWords(rate: number): string {
  return rateText(rate) + (rate < MIN_SOUND_RATE || rate > MAX_SOUND_RATE ? ", no sound" : "");
}
