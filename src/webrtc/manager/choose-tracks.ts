import { CidcastError, isCidcastError } from "../../core/index.ts";
import type { MediaSource, RenditionSource, TrackInfo } from "../../media/index.ts";
import type { SessionInit } from "../types.ts";
import { MAX_TRACKS } from "./limits.ts";

/** A track of a session and its rendition. */
export interface ChosenTrack {
  readonly source: MediaSource;
  readonly info: TrackInfo;
  readonly rendition: RenditionSource;
}

/** What is wanted of a source: the tracks named, or the default ones; only those of one kind where one is given. */
type Wanted = Pick<SessionInit, "trackIds" | "kind" | "signal">;

/**
 * Tracks that a session carries: those named, else the default ones of that kind. A default track that cannot be played
 * is left out while another one can; a named one is an error.
 */
export async function chooseTracks(source: MediaSource, init: Wanted): Promise<readonly ChosenTrack[]> {
  const named = init.trackIds !== undefined && init.trackIds.length > 0;
  const ids = named ? (init.trackIds ?? []) : source.defaultTrackIds;
  if (ids.length > MAX_TRACKS) {
    throw new CidcastError("LIMIT_REACHED", `a session carries at most ${MAX_TRACKS} tracks`);
  }
  const wanted = ids
    .map(id => find(source, id))
    .filter(track => init.kind === undefined || track.kind === init.kind);
  if (wanted.length === 0) throw nothing(source, init);
  const results = await Promise.allSettled(
    wanted.map(async info => ({
      source,
      info,
      rendition: await source.rendition(info.id, { signal: init.signal }),
    })),
  );
  const chosen = results.filter(result => result.status === "fulfilled").map(result => result.value);
  const failed = results.find(result => result.status === "rejected");
  const mayLeaveOut = !named && chosen.length > 0 && isPlayable(failed?.reason);
  if (failed !== undefined && !mayLeaveOut) throw failed.reason;
  // Pictures first: the order of the media sections, and of what a place is measured by.
  return chosen.toSorted((a, b) => Number(a.info.kind === "audio") - Number(b.info.kind === "audio"));
}

function find(source: MediaSource, id: string): TrackInfo {
  const track = source.info.tracks.find(candidate => candidate.id === id);
  if (track === undefined) throw new CidcastError("TRACK_NOT_FOUND", `${source.cid} has no track ${id}`);
  return track;
}

function nothing(source: MediaSource, init: Wanted): CidcastError {
  const notes = source.info.notes.join("; ");
  if (!source.info.playable) {
    return new CidcastError(
      "UNSUPPORTED_MEDIA",
      `${source.cid} has no track that can be played here. ${notes}`.trim(),
    );
  }
  return new CidcastError(
    "TRACK_NOT_FOUND",
    `${source.cid} has no ${init.kind ?? ""} track that can be played`,
  );
}

function isPlayable(error: unknown): boolean {
  return isCidcastError(error, "ENCODER_MISSING") || isCidcastError(error, "UNSUPPORTED_MEDIA");
}
