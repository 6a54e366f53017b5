import type { LoopRange } from "../types.ts";
import type { PlayingTrack } from "./playing-track.ts";

/** A jump under way. */
export interface Seek {
  readonly done: readonly (() => void)[];
  /** Not a change for the viewer: a keyframe it asked for, or a loop. */
  readonly quiet: boolean;
  /** Sound has been asked for again, from the keyframe that the picture begins with. */
  again: boolean;
  /** The picture of that place is wanted, not the keyframe before it. */
  readonly exact: boolean;
  /** The place becomes that of the picture. */
  readonly snap: boolean;
  /** No more of them: the next picture is the one that playing begins with. */
  led: boolean;
  /** The viewer has been told that pictures come which are not to be seen. */
  covered: boolean;
}

/** How a jump is made. */
export interface JumpInit {
  readonly quiet?: boolean;
  readonly exact?: boolean;
  readonly snap?: boolean;
  readonly done?: readonly (() => void)[];
}

/** True for one and the same part. */
export function sameRange(a: LoopRange | undefined, b: LoopRange | undefined): boolean {
  return a?.startSeconds === b?.startSeconds && a?.endSeconds === b?.endSeconds;
}

/** Where playing begins: at the place `wanted` when its picture was reached, else at the picture. */
export function placeOf(leader: PlayingTrack | undefined, seek: Seek, wanted: number): number {
  const picture = leader?.queue.nextSeconds ?? wanted;
  const until = leader?.queue.followingSeconds ?? wanted;
  const reached = seek.exact && !seek.snap && (until > wanted || leader?.queue.nextIsLast === true);
  return reached ? Math.max(picture, wanted) : picture;
}
