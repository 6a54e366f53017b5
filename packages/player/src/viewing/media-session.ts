import type { PlayerState } from "../playback/player-state.ts";

/** What the keys of a keyboard, headset or lock screen can ask for. */
export interface MediaKeyActions {
  play(): void;
  pause(): void;
  seek(seconds: number): void;
  seekBy(seconds: number): void;
}

/** What the system shows; the player itself fits. */
export interface MediaKeyState {
  readonly state: PlayerState;
  /** Seconds, as is `duration`. */
  readonly currentTime: number;
  readonly duration: number;
  readonly playbackRate: number;
}

export interface MediaKeys {
  /** Takes the keys: they belong to the player of the page that was started last. */
  take(title: string, posterUrl: string | undefined): void;
  update(state: MediaKeyState): void;
  /** Gives the keys back, where they are still this player's. */
  release(): void;
}

/** Seconds that one press of a seek key moves where the system names no number. */
const SEEK_SECONDS = 10;
const ACTIONS = ["play", "pause", "seekto", "seekbackward", "seekforward"] as const;

/** Media keys of the system. Does nothing where the browser has none. */
export function createMediaKeys(session: MediaSession | undefined, actions: MediaKeyActions): MediaKeys {
  let metadata: MediaMetadata | undefined;
  const mine = (): boolean => metadata !== undefined && session?.metadata === metadata;
  const obey = (details: MediaSessionActionDetails): void => {
    const offset = details.seekOffset ?? SEEK_SECONDS;
    if (details.action === "play") actions.play();
    else if (details.action === "pause") actions.pause();
    else if (details.action === "seekto") actions.seek(details.seekTime ?? 0);
    else actions.seekBy(details.action === "seekbackward" ? -offset : offset);
  };
  return {
    take(title, posterUrl) {
      if (session === undefined) return;
      const artwork = posterUrl === undefined ? [] : [{ src: posterUrl }];
      metadata = new MediaMetadata({ title, artwork });
      session.metadata = metadata;
      for (const action of ACTIONS) session.setActionHandler(action, obey);
    },
    update({ state, currentTime, duration, playbackRate }) {
      if (session === undefined || !mine()) return;
      session.playbackState = state === "playing" ? "playing" : "paused";
      if (!(duration > 0)) return;
      const position = Math.min(Math.max(0, currentTime), duration);
      session.setPositionState({ duration, position, playbackRate });
    },
    release() {
      if (session === undefined || !mine()) return;
      session.metadata = null;
      session.playbackState = "none";
      for (const action of ACTIONS) session.setActionHandler(action, null);
      metadata = undefined;
    },
  };
}
