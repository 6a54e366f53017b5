import "./no-eval.ts";
import { CidPlayer } from "./cid-player.ts";

export { CidPlayer } from "./cid-player.ts";
export type { CidPlayerDetail, CidPlayerEventMap } from "./events.ts";
export type { PlayerState } from "./playback/player-state.ts";
export type { PlayerStats } from "./playback/stats.ts";
export { type ErrorText, errorText } from "./text/error-text.ts";
export { formatBitrate, formatBytes, formatTime, shortCid, spokenTime } from "./text/format.ts";
export { type IconName, icon } from "./ui/icons.ts";
export { el, type ElementInit, setText } from "./ui/dom.ts";

if (customElements.get("cid-player") === undefined) customElements.define("cid-player", CidPlayer);
