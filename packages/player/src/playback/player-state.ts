/**
 * What the player is doing.
 *
 * `idle` nothing opened · `connecting` opened, nothing seen yet · `playing` · `paused` · `buffering` the node waits for
 * content · `reconnecting` the connection is gone and being made again · `ended` · `error` it will not go on by itself.
 */
export type PlayerState =
  | "idle"
  | "connecting"
  | "playing"
  | "paused"
  | "buffering"
  | "reconnecting"
  | "ended"
  | "error";

/** What happens to a player. */
export type PlayerSignal = "open" | "play" | "pause" | "buffer" | "end" | "lose" | "fail" | "close";

const LIVE: Partial<Record<PlayerSignal, PlayerState>> = {
  play: "playing",
  pause: "paused",
  buffer: "buffering",
  end: "ended",
  lose: "reconnecting",
};
const ALWAYS: Record<"open" | "fail" | "close", PlayerState> = {
  open: "connecting",
  fail: "error",
  close: "idle",
};

const TRANSITIONS: Record<PlayerState, Partial<Record<PlayerSignal, PlayerState>>> = {
  idle: { open: "connecting", fail: "error" },
  connecting: { ...LIVE, ...ALWAYS },
  playing: { ...LIVE, ...ALWAYS },
  paused: { ...LIVE, ...ALWAYS },
  // A stall does not undo the viewer's pause or the end, nor hide that the connection is gone.
  buffering: { ...LIVE, ...ALWAYS },
  reconnecting: { ...LIVE, ...ALWAYS, open: "reconnecting", buffer: "reconnecting" },
  ended: { ...LIVE, ...ALWAYS, buffer: "ended" },
  error: { open: "connecting", close: "idle", fail: "error" },
};

/** The state after `signal`. A signal that means nothing in a state (a late message, say) leaves it as it is. */
export function nextState(state: PlayerState, signal: PlayerSignal): PlayerState {
  return TRANSITIONS[state][signal] ?? state;
}

/** True where the viewer waits for the node. */
export function isWaiting(state: PlayerState): boolean {
  return state === "connecting" || state === "buffering" || state === "reconnecting";
}
