import type { CueReport } from "../playback/texts.ts";

/** Something that plays, and the cues of it that the viewer has chosen. */
interface Place {
  readonly positionSeconds: number;
  readonly rate: number;
  readonly texts?: { readonly cues: readonly CueReport[] };
}

export interface CaptionTrack {
  /** Shows what is on now, and wakes by itself when that changes. */
  update(): void;
}

/** Longest and shortest time between two looks, ms: places move by seeks as well. */
const MAX_WAIT_MS = 500;
const MIN_WAIT_MS = 15;

/** Lines of text that the control bar takes the room of. */
const LINES_BELOW = 3;

/**
 * Shows cues in a text track of the element. Its own clock runs on over seeks and rates, so a cue is put in when it begins
 * and taken out when it ends, by the place in the media.
 */
export function createCaptionTrack(video: HTMLVideoElement, place: () => Place | undefined): CaptionTrack {
  let track: TextTrack | undefined;
  let shown = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = (texts: readonly string[]): void => {
    const key = texts.join("\0");
    if (key === shown) return;
    shown = key;
    track ??= video.addTextTrack("captions");
    track.mode = "showing";
    // The list is a live one.
    while (track.cues?.[0] !== undefined) track.removeCue(track.cues[0]);
    for (const text of texts) {
      // Markup is text here: what a file says is never taken for more.
      const cue = new VTTCue(
        0,
        Number.MAX_SAFE_INTEGER,
        text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"),
      );
      // Above the control bar, whether it is shown or not: what jumps is hard to read.
      cue.line = -LINES_BELOW - text.split("\n").length;
      track.addCue(cue);
    }
  };
  const update = (): void => {
    clearTimeout(timer);
    const now = place();
    const cues = now?.texts?.cues ?? [];
    if (now === undefined || cues.length === 0) return show([]);
    const at = now.positionSeconds;
    show(cues.filter(([start, end]) => start <= at && at < end).map(([, , text]) => text));
    const next = Math.min(...cues.flatMap(([start, end]) => [start, end]).filter(edge => edge > at));
    const wait = ((next - at) / now.rate) * 1000 + 1;
    timer = setTimeout(update, Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, wait)));
  };
  return { update };
}
