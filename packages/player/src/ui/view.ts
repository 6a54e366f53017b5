import type { PlayerState } from "../playback/player-state.ts";
import { isWaiting } from "../playback/player-state.ts";
import { type ControlActions, type ControlState, type Controls, createControls } from "./controls.ts";
import { el, setText } from "./dom.ts";
import { createErrorPanel, type ErrorPanel } from "./error-panel.ts";
import { createHelpPanel, type Panel } from "./help-panel.ts";
import { createIconButton } from "./icon-button.ts";
import { icon } from "./icons.ts";
import { createNotice, type Notice } from "./notice.ts";
import { createSeekCover, type SeekCover } from "./seek-cover.ts";
import { createStatsPanel, type StatsPanel } from "./stats-panel.ts";
import { type TouchActions, watchTouch } from "./touch.ts";

/** How long the pointer rests before the controls go, ms. */
const QUIET_AFTER_MS = 2_500;
/** How long a wait lasts before a spinner says so, ms: a start that is quicker shows none. */
const SPINNER_AFTER_MS = 300;

export interface ViewActions extends ControlActions {
  unmute(): void;
  /** What fingers do beyond a tap. */
  readonly touch: Omit<TouchActions, "tap">;
  retry(): void;
}

interface ViewState extends Omit<ControlState, "statsOpen" | "helpOpen"> {
  /** Said beside the spinner while waiting. */
  readonly words: string;
  /** True when the browser allowed playing only without sound. */
  readonly soundBlocked: boolean;
  readonly soundOnly: boolean;
  readonly posterUrl: string | undefined;
  /** The viewer has seen a picture of this content. */
  readonly seen: boolean;
}

/** All that is inside the element. */
export interface View {
  readonly frame: HTMLElement;
  readonly video: HTMLVideoElement;
  readonly error: ErrorPanel;
  readonly stats: StatsPanel;
  readonly help: Panel;
  readonly dragging: boolean;
  readonly notice: Notice;
  readonly seekCover: SeekCover;
  update(state: ViewState): void;
  /** Shows the controls, for a while when playing. */
  wakeControls(): void;
  /** Stops the view's timers. */
  close(): void;
}

export function createView(actions: ViewActions): View {
  const video = el("video", { attributes: { playsinline: "", part: "video" } });
  const cover = el("div", { class: "sound-cover", attributes: { hidden: "" } }, [icon("sound")]);
  const big = createIconButton("big", () => actions.togglePlay());
  const words = el("span", { class: "words" });
  const waiting = el("div", { class: "waiting", attributes: { role: "status", hidden: "" } }, [
    el("span", { class: "ring" }),
    words,
  ]);
  const unmute = el(
    "button",
    { class: "unmute", attributes: { type: "button", hidden: "" }, on: { click: () => actions.unmute() } },
    [icon("muted"), "Turn sound on"],
  );
  const controls = createControls(actions);
  const error = createErrorPanel(() => actions.retry());
  const stats = createStatsPanel(() => actions.toggleStats());
  const help = createHelpPanel(() => actions.toggleHelp());
  const poster = el("img", { class: "poster", attributes: { alt: "", part: "poster", hidden: "" } });
  // A poster that cannot be had is no poster.
  poster.addEventListener("error", () => poster.removeAttribute("src"));
  const notice = createNotice();
  const seekCover = createSeekCover(video);
  const frame = el(
    "div",
    {
      class: "frame",
      attributes: { tabindex: "0", role: "region", "aria-label": "Video player", part: "frame" },
    },
    [
      video,
      seekCover.element,
      cover,
      poster,
      notice.element,
      big.element,
      waiting,
      unmute,
      controls.element,
      stats.element,
      help.element,
      error.element,
    ],
  );
  for (const surface of [video, cover, poster]) {
    surface.addEventListener("click", event => {
      if (!isTouch(event)) actions.togglePlay();
    });
    surface.addEventListener("dblclick", event => {
      if (!isTouch(event)) actions.toggleFullscreen();
    });
  }

  const quiet = createQuietTimer(frame, controls);
  for (const surface of [video, cover, poster]) {
    watchTouch(surface, { ...actions.touch, tap: () => quiet.toggle() });
  }
  const spinner = createSpinner(waiting);
  return {
    frame,
    video,
    error,
    stats,
    help,
    notice,
    seekCover,
    get dragging() {
      return controls.dragging;
    },
    update(state) {
      controls.update({ ...state, statsOpen: stats.open, helpOpen: help.open });
      controls.element.inert = state.state === "error";
      cover.hidden = !state.soundOnly;
      showPoster(poster, state);
      showBig(big, state.state);
      setText(words, isWaiting(state.state) ? state.words : "");
      spinner.show(isWaiting(state.state));
      unmute.hidden = !(state.soundBlocked && state.muted) || state.state === "error";
      quiet.playing(state.state === "playing");
    },
    wakeControls: quiet.wake,
    close() {
      quiet.stop();
      spinner.show(false);
      notice.close();
      seekCover.lift();
    },
  };
}

/** Browsers make clicks of taps as well: the finger's own gestures take care of those. */
function isTouch(event: Event): boolean {
  return event instanceof PointerEvent && event.pointerType === "touch";
}

/** Shown until there is a picture, and all along where there is only sound. */
function showPoster(poster: HTMLImageElement, { posterUrl, soundOnly, seen }: ViewState): void {
  if (posterUrl === undefined) poster.removeAttribute("src");
  else if (poster.getAttribute("src") !== posterUrl) poster.src = posterUrl;
  poster.hidden = !poster.hasAttribute("src") || (seen && !soundOnly);
}

function showBig(big: ReturnType<typeof createIconButton>, state: PlayerState): void {
  big.element.hidden = state !== "idle" && state !== "paused" && state !== "ended";
  if (state === "ended") big.show("replay", "Play again");
  else big.show("play", "Play");
}

/** Hides the controls when the pointer rests while playing. */
function createQuietTimer(frame: HTMLElement, controls: Controls) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isPlaying = false;
  const rest = (): void => {
    if (isPlaying && !controls.dragging) frame.classList.add("quiet");
  };
  const wake = (): void => {
    frame.classList.remove("quiet");
    clearTimeout(timer);
    if (isPlaying) timer = setTimeout(rest, QUIET_AFTER_MS);
  };
  frame.addEventListener("pointermove", wake);
  frame.addEventListener("pointerdown", wake);
  frame.addEventListener("focusin", wake);
  frame.addEventListener("pointerleave", event => {
    if (event.pointerType === "mouse") rest();
  });
  return {
    wake,
    /** A tap shows the controls, or takes them away. */
    toggle(): void {
      if (frame.classList.contains("quiet")) wake();
      else rest();
    },
    playing(playing: boolean): void {
      if (playing === isPlaying) return;
      isPlaying = playing;
      wake();
    },
    stop(): void {
      clearTimeout(timer);
    },
  };
}

/** Shows the spinner when a wait has lasted long enough to be noticed. */
function createSpinner(waiting: HTMLElement) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    show(show: boolean): void {
      if (!show) {
        clearTimeout(timer);
        timer = undefined;
        waiting.hidden = true;
      } else {
        timer ??= setTimeout(() => {
          waiting.hidden = false;
        }, SPINNER_AFTER_MS);
      }
    },
  };
}
