import type { ClientError, LoopRange, TrackReport } from "@cidcast/client";
import type { PlayerState } from "./player-state.ts";
import type { Texts } from "./texts.ts";
import type { PlayerStats } from "./stats.ts";

export interface PlayerSourceEvents {
  state: PlayerState;
  /** Position, duration or loop may have changed. */
  position: undefined;
  /** The viewer has asked for another place. */
  seek: undefined;
  /** The node has got there: pictures from that RTP time on are wanted. */
  landed: number | undefined;
  /** A new stream: the one before, if any, is dead. */
  stream: MediaStream;
  tracks: readonly TrackReport[];
  /** `paused`: the path carries too little for pictures, sound goes on. */
  pictures: "sent" | "paused";
  error: ClientError;
  /** It has ended before its length: the file is cut off or damaged there. */
  damaged: { readonly positionSeconds: number; readonly message: string };
  /** The connection is gone; the next attempt comes in `waitMs`. */
  retry: { readonly attempt: number; readonly waitMs: number; readonly cause: ClientError };
}

/** Something that plays one CID, by whatever way it comes. */
export interface PlayerSource {
  readonly state: PlayerState;
  readonly error: ClientError | undefined;
  readonly positionSeconds: number;
  readonly durationSeconds: number | undefined;
  /** What the viewer wants, whatever the state is. */
  readonly paused: boolean;
  readonly tracks: readonly TrackReport[];
  on<Name extends keyof PlayerSourceEvents>(
    name: Name,
    listener: (event: PlayerSourceEvents[Name]) => void,
  ): () => void;
  play(): void;
  pause(): void;
  seek(seconds: number): void;
  /** Seconds of media per second. */
  readonly rate: number;
  /** True where this rate is played without sound. */
  readonly soundMuted: boolean;
  readonly loopRange: LoopRange | undefined;
  /** Repeats everything, or the part of `range`. */
  setLoop(loop: boolean, range?: LoopRange): void;
  setRate(rate: number): void;
  /** Levels to choose from, `auto` first; none where there is one quality. */
  readonly qualities: readonly string[];
  /** What the viewer has chosen; `auto` when nothing was. */
  readonly quality: string;
  setQuality(level: string): void;
  /** Captions and chapters, and what is chosen; undefined where there can be none. */
  readonly texts?: Texts;
  /** Shows those captions; empty: none. */
  setCaption?(id: string): void;
  /** Goes on with that sound track. */
  setSoundTrack?(id: string): void;
  /** One picture on or back; pauses where it plays. */
  step(frames: 1 | -1): void;
  /** To be called when the viewer sees or hears something of the newest stream. */
  seen(): void;
  /** Cuts the wait for the next attempt short. */
  retryNow(): void;
  stats(): Promise<PlayerStats>;
  close(): void;
}
