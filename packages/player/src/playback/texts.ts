import type { ControlEvent, TrackReport } from "@cidcast/client";

/** Captions that can be chosen. */
export type CaptionReport = Extract<ControlEvent, { type: "text" }>["captions"][number];
/** A part of the media with a name. */
export type Chapter = Extract<ControlEvent, { type: "text" }>["chapters"][number];
/** `[start, end, text]`, seconds of media. */
export type CueReport = Extract<ControlEvent, { type: "cues" }>["cues"][number];

/** Captions, chapters and languages of what is played, and what is chosen of them. */
export interface Texts {
  captions: readonly CaptionReport[];
  chapters: readonly Chapter[];
  /** Cues of what was chosen, in order; they come bit by bit. */
  cues: CueReport[];
  /** Id of the captions; empty: none. */
  caption: string;
}

export function noTexts(): Texts {
  return { captions: [], chapters: [], cues: [], caption: "" };
}

/** Takes what the node tells of texts; false for any other event. */
export function takeTexts(texts: Texts, event: ControlEvent): boolean {
  if (event.type === "text") {
    texts.captions = event.captions;
    texts.chapters = event.chapters;
  } else if (event.type === "cues" && event.trackId === texts.caption) texts.cues.push(...event.cues);
  else return event.type === "cues" || event.type === "cues_failed";
  return true;
}

/** Sound tracks of the content that one can choose between. */
export function languagesOf(tracks: readonly TrackReport[]): readonly TrackReport[] {
  return tracks.filter(({ kind, cid, verdict }) => kind === "audio" && !cid && verdict.mode !== "unplayable");
}

/** What a viewer can choose of what is played. */
export function textActions(
  playback: () => { setCaption?(id: string): void; setSoundTrack?(id: string): void } | undefined,
) {
  return {
    setCaption: (id: string) => playback()?.setCaption?.(id),
    setSoundTrack: (id: string) => playback()?.setSoundTrack?.(id),
  };
}

/** What there is to choose from. */
export function textsOf(
  playback: { readonly texts?: Texts; readonly tracks: readonly TrackReport[] } | undefined,
) {
  return { texts: playback?.texts, tracks: playback?.tracks ?? [] };
}
