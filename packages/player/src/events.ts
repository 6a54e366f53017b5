import type { ErrorCode, TrackReport } from "@cidcast/client";
import type { CidPlayer } from "./cid-player.ts";
import type { PlayerState } from "./playback/player-state.ts";

/** Events of `<cid-player>`. All bubble and cross shadow roots. */
export interface CidPlayerEventMap {
  /** The state has changed. */
  "cid-state": CustomEvent<{ readonly state: PlayerState }>;
  /** It will not go on by itself; the player shows the same in words. */
  "cid-error": CustomEvent<{ readonly code: ErrorCode; readonly message: string }>;
  /** Position or duration, seconds: about four times a second while playing. */
  "cid-time": CustomEvent<{ readonly currentTime: number; readonly duration: number }>;
  /** It has ended before its length: the file is cut off or damaged there. The player says so. */
  "cid-damaged": CustomEvent<{ readonly positionSeconds: number; readonly message: string }>;
  /** The tracks and what happens to each on its way. */
  "cid-tracks": CustomEvent<{ readonly tracks: readonly TrackReport[] }>;
  /** The first picture (or sound, where there is no picture) of a connection, ms after it was asked for. */
  "cid-first-frame": CustomEvent<{ readonly elapsedMs: number }>;
  /** The rate has changed, or whether sound is heard at it. */
  "cid-rate": CustomEvent<{ readonly playbackRate: number; readonly soundMuted: boolean }>;
  /** The connection is gone; it is made again in `waitMs`. */
  "cid-retry": CustomEvent<{
    readonly attempt: number;
    readonly waitMs: number;
    readonly code: ErrorCode;
  }>;
}

/** What an event of that name carries. */
export type CidPlayerDetail<Name extends keyof CidPlayerEventMap> = CidPlayerEventMap[Name]["detail"];

declare global {
  interface HTMLElementTagNameMap {
    "cid-player": CidPlayer;
  }
  interface HTMLElementEventMap extends CidPlayerEventMap {}
}
