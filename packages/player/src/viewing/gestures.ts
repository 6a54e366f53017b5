import type { TouchActions } from "../ui/touch.ts";

/** Seconds that a double tap moves. */
const TAP_SEEK_SECONDS = 10;
/** Rate while a finger rests on the picture. */
const PRESS_RATE = 2;

/** What gestures need of a player. */
export interface GesturePlayer {
  readonly paused: boolean;
  readonly currentTime: number;
  readonly playbackRate: number;
  play(): void;
  pause(): void;
  seek(seconds: number): void;
}

/** What fingers do: a double tap moves 10 s, or pauses in the middle; a finger that rests plays at twice the rate. */
export function createGestures(
  player: GesturePlayer,
  { say, changeRate }: { say: (text: string) => void; changeRate: (rate: number) => void },
): Omit<TouchActions, "tap"> {
  let rateBefore: number | undefined;
  return {
    doubleTap(side) {
      if (side === 0) return player.paused ? player.play() : player.pause();
      player.seek(player.currentTime + side * TAP_SEEK_SECONDS);
      say(`${side > 0 ? "+" : "−"}${TAP_SEEK_SECONDS} s`);
    },
    press(held) {
      if (held && !player.paused) {
        rateBefore = player.playbackRate;
        changeRate(PRESS_RATE);
      } else if (!held && rateBefore !== undefined) {
        changeRate(rateBefore);
        rateBefore = undefined;
      }
    },
  };
}
