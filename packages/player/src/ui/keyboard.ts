/** What a key asks the player to do. */
export type KeyCommand =
  | { readonly type: "toggle-play" }
  | { readonly type: "toggle-mute" }
  | { readonly type: "toggle-fullscreen" }
  | { readonly type: "toggle-help" }
  | { readonly type: "toggle-stats" }
  | { readonly type: "toggle-loop" }
  | { readonly type: "toggle-picture-in-picture" }
  | { readonly type: "copy-link" }
  | { readonly type: "close-panels" }
  | { readonly type: "step"; readonly frames: 1 | -1 }
  | { readonly type: "change-rate"; readonly by: 1 | -1 }
  | { readonly type: "mark"; readonly point: "start" | "end" | "none" }
  | { readonly type: "seek-by"; readonly seconds: number }
  | { readonly type: "seek-to-share"; readonly share: number }
  | { readonly type: "volume-by"; readonly step: number };

/** What the map needs to know of a `KeyboardEvent`. */
export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

/** Seconds that an arrow key moves. */
const ARROW_SEEK_SECONDS = 5;
/** Seconds that `j` and `l` move. */
const LETTER_SEEK_SECONDS = 10;
/** Share of full volume that an arrow key moves. */
const VOLUME_STEP = 0.05;

const COMMANDS: Readonly<Record<string, KeyCommand>> = {
  " ": { type: "toggle-play" },
  k: { type: "toggle-play" },
  m: { type: "toggle-mute" },
  f: { type: "toggle-fullscreen" },
  "?": { type: "toggle-help" },
  s: { type: "toggle-stats" },
  r: { type: "toggle-loop" },
  i: { type: "toggle-picture-in-picture" },
  c: { type: "copy-link" },
  ",": { type: "step", frames: -1 },
  ".": { type: "step", frames: 1 },
  "<": { type: "change-rate", by: -1 },
  ">": { type: "change-rate", by: 1 },
  "[": { type: "mark", point: "start" },
  "]": { type: "mark", point: "end" },
  "\\": { type: "mark", point: "none" },
  Escape: { type: "close-panels" },
  ArrowLeft: { type: "seek-by", seconds: -ARROW_SEEK_SECONDS },
  ArrowRight: { type: "seek-by", seconds: ARROW_SEEK_SECONDS },
  j: { type: "seek-by", seconds: -LETTER_SEEK_SECONDS },
  l: { type: "seek-by", seconds: LETTER_SEEK_SECONDS },
  Home: { type: "seek-to-share", share: 0 },
  End: { type: "seek-to-share", share: 1 },
  ArrowUp: { type: "volume-by", step: VOLUME_STEP },
  ArrowDown: { type: "volume-by", step: -VOLUME_STEP },
};

/** The command of a key press; undefined when the key is not the player's, or belongs to browser or system. */
export function keyCommand(press: KeyPress): KeyCommand | undefined {
  if (press.ctrlKey || press.altKey || press.metaKey) return undefined;
  if (/^[0-9]$/.test(press.key)) return { type: "seek-to-share", share: Number(press.key) / 10 };
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  return Object.hasOwn(COMMANDS, key) ? COMMANDS[key] : undefined;
}

/** The lines of the help panel: keys, then what they do. */
export const KEY_HELP: readonly (readonly [keys: readonly string[], does: string])[] = [
  [["Space", "K"], "Play or pause"],
  [["Left", "Right"], `Back or forward ${ARROW_SEEK_SECONDS} seconds`],
  [["J", "L"], `Back or forward ${LETTER_SEEK_SECONDS} seconds`],
  [["0", "…", "9"], "Jump to 0 % … 90 %"],
  [["Home", "End"], "Jump to the start or the end"],
  [["Up", "Down"], "Volume up or down"],
  [["M"], "Sound on or off"],
  [[",", "."], "One picture back or on"],
  [["<", ">"], "Slower or faster"],
  [["[", "]"], "Repeat from here, to here"],
  [["\\"], "Repeat no part"],
  [["F"], "Full screen"],
  [["I"], "Picture in picture"],
  [["C"], "Copy a link to this moment"],
  [["R"], "Repeat on or off"],
  [["S"], "Statistics"],
  [["?"], "This help"],
];
