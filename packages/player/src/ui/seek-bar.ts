import type { LoopRange } from "@cidcast/client";
import { formatTime, spokenTime } from "../text/format.ts";
import type { Chapter } from "../playback/texts.ts";
import { el } from "./dom.ts";
import { createThumbnail } from "./thumbnail.ts";

/** What the bar shows. */
interface SeekBarState {
  readonly positionSeconds: number;
  readonly durationSeconds: number | undefined;
  /** Up to where the picture is already here, seconds. */
  readonly bufferedSeconds: number;
  /** The part that is repeated. */
  readonly loopRange: LoopRange | undefined;
  readonly chapters: readonly Chapter[];
}

export interface SeekBar {
  readonly element: HTMLElement;
  /** True while the viewer drags: the position shown is then theirs. */
  readonly dragging: boolean;
  update(state: SeekBarState): void;
}

/** Steps of the slider: finer than a pixel on any screen. */
const STEPS = 10_000;

/** A slider over the duration. `onSeek` is called once per choice: when a drag ends, or at once for a key. */
export function createSeekBar(onSeek: (seconds: number) => void, picture: (path: string) => string): SeekBar {
  let durationSeconds = 0;
  let dragging = false;
  const thumbnail = createThumbnail();
  const words = el("span", {});
  const marks = el("span", { class: "chapters", attributes: { "aria-hidden": "true" } });
  let chapters: readonly Chapter[] = [];
  let marked = "";
  const bubble = el("output", { class: "seek-bubble", attributes: { "aria-hidden": "true" } }, [
    thumbnail.element,
    words,
  ]);
  const part = el("span", { class: "loop-part", attributes: { "aria-hidden": "true", hidden: "" } });
  const input = el("input", {
    class: "slider seek-slider",
    attributes: { type: "range", min: "0", max: String(STEPS), step: "1", value: "0", "aria-label": "Seek" },
  });
  const element = el("div", { class: "seek", attributes: { part: "seek" } }, [input, part, marks, bubble]);
  const chosen = (): number => (Number(input.value) / STEPS) * durationSeconds;

  const paint = (seconds: number): void => {
    const share = durationSeconds > 0 ? seconds / durationSeconds : 0;
    element.style.setProperty("--played", String(share));
    input.setAttribute("aria-valuetext", `${spokenTime(seconds)} of ${spokenTime(durationSeconds)}`);
  };
  const commit = (): void => {
    if (!dragging) return;
    dragging = false;
    onSeek(chosen());
  };
  input.addEventListener("input", () => {
    dragging = true;
    paint(chosen());
  });
  input.addEventListener("change", commit);
  input.addEventListener("pointercancel", commit);
  element.addEventListener("pointermove", event => {
    const box = input.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    element.style.setProperty("--hover", String(share));
    const seconds = share * durationSeconds;
    const chapter = chapters.findLast(({ startSeconds }) => startSeconds <= seconds);
    words.textContent = `${formatTime(seconds)} ${chapter?.title ?? ""}`.trim();
    if (durationSeconds > 0) thumbnail.show(seconds, picture);
  });

  return {
    element,
    get dragging() {
      return dragging;
    },
    update(state) {
      durationSeconds = state.durationSeconds ?? 0;
      input.disabled = durationSeconds <= 0;
      const buffered = durationSeconds > 0 ? Math.min(1, state.bufferedSeconds / durationSeconds) : 0;
      element.style.setProperty("--buffered", String(buffered));
      part.hidden = state.loopRange === undefined || durationSeconds <= 0;
      if (state.loopRange !== undefined && durationSeconds > 0) {
        part.style.left = `${(state.loopRange.startSeconds / durationSeconds) * 100}%`;
        part.style.right = `${Math.max(0, 1 - state.loopRange.endSeconds / durationSeconds) * 100}%`;
      }
      ({ chapters } = state);
      const key = `${durationSeconds} ${chapters.map(chapter => chapter.startSeconds).join()}`;
      if (key !== marked) {
        marked = key;
        const later = chapters.filter(
          ({ startSeconds }) => startSeconds > 0 && startSeconds < durationSeconds,
        );
        marks.replaceChildren(
          ...later.map(({ startSeconds }) => {
            const mark = el("i", {});
            mark.style.left = `${(startSeconds / durationSeconds) * 100}%`;
            return mark;
          }),
        );
      }
      if (dragging) return;
      const share = durationSeconds > 0 ? state.positionSeconds / durationSeconds : 0;
      input.value = String(Math.round(share * STEPS));
      paint(state.positionSeconds);
    },
  };
}
