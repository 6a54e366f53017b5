import type { LoopRange, TrackReport } from "@cidcast/client";
import type { PlayerState } from "../playback/player-state.ts";
import { languagesOf, type Texts } from "../playback/texts.ts";
import { formatTime } from "../text/format.ts";
import { languageText } from "../text/language-text.ts";
import { qualityText } from "../text/quality-text.ts";
import { el, setText } from "./dom.ts";
import { createIconButton } from "./icon-button.ts";
import { createSeekBar } from "./seek-bar.ts";
import { type Choice, createChoiceMenu } from "./choice-menu.ts";
import { RATES, rateText } from "./rates.ts";

/** What the viewer can ask for with the control bar. */
export interface ControlActions {
  togglePlay(): void;
  seek(seconds: number): void;
  toggleMute(): void;
  setVolume(volume: number): void;
  toggleLoop(): void;
  toggleStats(): void;
  toggleHelp(): void;
  toggleFullscreen(): void;
  togglePictureInPicture(): void;
  copyLink(): void;
  setRate(rate: number): void;
  setQuality(level: string): void;
  setCaption(id: string): void;
  setSoundTrack(id: string): void;
  /** Address of what the node has of the storyboard under a path. */
  pictureUrl(path: string): string;
}

/** What the control bar shows. */
export interface ControlState {
  readonly state: PlayerState;
  readonly positionSeconds: number;
  readonly durationSeconds: number | undefined;
  readonly bufferedSeconds: number;
  readonly volume: number;
  readonly muted: boolean;
  readonly loop: boolean;
  readonly loopRange: LoopRange | undefined;
  readonly rate: number;
  /** Levels to choose from; none where there is one quality. */
  readonly qualities: readonly string[];
  readonly quality: string;
  readonly texts: Texts | undefined;
  readonly tracks: readonly TrackReport[];
  /** Undefined where the browser or this content has no picture in picture. */
  readonly pictureInPicture: boolean | undefined;
  readonly fullscreen: boolean;
  readonly statsOpen: boolean;
  readonly helpOpen: boolean;
}

export interface Controls {
  readonly element: HTMLElement;
  /** True while the viewer drags the seek bar. */
  readonly dragging: boolean;
  update(state: ControlState): void;
}

/** Steps of the volume slider. */
const VOLUME_STEPS = 100;
const SPEEDS: readonly Choice<number>[] = RATES.map(rate => ({
  value: rate,
  text: rate === 1 ? "Normal" : rateText(rate),
}));

export function createControls(actions: ControlActions): Controls {
  const seek = createSeekBar(
    seconds => actions.seek(seconds),
    path => actions.pictureUrl(path),
  );
  const play = createIconButton("play", () => actions.togglePlay());
  const mute = createIconButton("mute", () => actions.toggleMute());
  const loop = createIconButton("loop", () => actions.toggleLoop());
  const stats = createIconButton("stats", () => actions.toggleStats());
  const help = createIconButton("help", () => actions.toggleHelp());
  const speed = createChoiceMenu<number>({
    name: "speed",
    label: "Speed",
    keys: "< >",
    short: ({ value }) => rateText(value),
    onChoose: rate => actions.setRate(rate),
  });
  const quality = createChoiceMenu<string>({
    name: "quality",
    label: "Quality",
    onChoose: level => actions.setQuality(level),
  });
  const captions = createChoiceMenu<string>({
    name: "captions",
    label: "Captions",
    short: ({ value }) => (value === "" ? "CC" : "CC ✓"),
    onChoose: id => actions.setCaption(id),
  });
  const language = createChoiceMenu<string>({
    name: "language",
    label: "Language",
    onChoose: id => actions.setSoundTrack(id),
  });
  const link = createIconButton("link", () => actions.copyLink());
  const pip = createIconButton("pip", () => actions.togglePictureInPicture());
  const full = createIconButton("fullscreen", () => actions.toggleFullscreen());
  const volume = el("input", {
    class: "slider volume-slider",
    attributes: { type: "range", min: "0", max: String(VOLUME_STEPS), step: "1", "aria-label": "Volume" },
    on: { input: () => actions.setVolume(Number(volume.value) / VOLUME_STEPS) },
  });
  const time = el("span", { class: "time", attributes: { part: "time" } });
  const row = el("div", { class: "row" }, [
    play.element,
    el("div", { class: "volume" }, [mute.element, volume]),
    time,
    el("span", { class: "spacer" }),
    language.element,
    captions.element,
    quality.element,
    speed.element,
    loop.element,
    link.element,
    stats.element,
    help.element,
    pip.element,
    full.element,
  ]);
  const element = el(
    "div",
    { class: "controls", attributes: { dir: "ltr", role: "group", "aria-label": "Player controls" } },
    [seek.element, row],
  );

  return {
    element,
    get dragging() {
      return seek.dragging;
    },
    update(state) {
      seek.update({ ...state, chapters: state.texts?.chapters ?? [] });
      showPlay(play, state.state);
      const silent = state.muted || state.volume === 0;
      mute.show(silent ? "muted" : "volume", silent ? "Turn sound on (M)" : "Turn sound off (M)");
      volume.value = String(Math.round((state.muted ? 0 : state.volume) * VOLUME_STEPS));
      volume.style.setProperty("--played", String(state.muted ? 0 : state.volume));
      volume.setAttribute("aria-valuetext", `${volume.value} percent`);
      loop.show("loop", "Repeat (R)", state.loop);
      speed.update(SPEEDS, state.rate);
      quality.update(
        state.qualities.map(value => ({ value, text: qualityText(value) })),
        state.quality,
      );
      const { texts } = state;
      captions.update(
        [
          { value: "", text: "Off" },
          ...(texts?.captions ?? []).map(({ id, label, language: tag }, at) => {
            return { value: id, text: label ?? languageText(tag, `Captions ${at + 1}`) };
          }),
        ],
        texts?.caption ?? "",
      );
      const sounds = languagesOf(state.tracks);
      language.update(
        sounds.map(({ id, language: tag }, at) => ({
          value: id,
          text: languageText(tag, `Sound ${at + 1}`),
        })),
        sounds.find(({ sent }) => sent)?.id ?? "",
      );
      link.show("link", "Copy a link to this moment (C)");
      pip.element.hidden = state.pictureInPicture === undefined;
      pip.show("pip", "Picture in picture (I)", state.pictureInPicture ?? false);
      stats.show("stats", "Statistics (S)", state.statsOpen);
      help.show("help", "Keyboard help (?)", state.helpOpen);
      full.show(
        state.fullscreen ? "shrink" : "expand",
        state.fullscreen ? "Leave full screen (F)" : "Full screen (F)",
      );
      const hours = (state.durationSeconds ?? 0) >= 3600;
      setText(time, `${formatTime(state.positionSeconds, hours)} / ${formatTime(state.durationSeconds)}`);
    },
  };
}

function showPlay(button: ReturnType<typeof createIconButton>, state: PlayerState): void {
  if (state === "ended") button.show("replay", "Play again (K)");
  else if (state === "paused" || state === "idle" || state === "error") button.show("play", "Play (K)");
  else button.show("pause", "Pause (K)");
}
