import { ClientError, createEmitter, type LoopRange, type TrackReport } from "@cidcast/client";
import { nextState, type PlayerSignal, type PlayerState } from "./player-state.ts";
import type { PlayerSource, PlayerSourceEvents } from "./player-source.ts";
import { type PlayerStats, summariseStats } from "./stats.ts";

export interface FilePlaybackInit {
  readonly video: HTMLVideoElement;
  /** Address of the file, as the browser is to fetch it. */
  readonly url: string;
  readonly startSeconds: number;
  readonly loop: boolean;
  /** Starts the element, in line with the browser's autoplay rules. False when it may not play. */
  readonly start: () => Promise<boolean>;
}

/** Length of a step, seconds: the browser does not tell where pictures begin. */
const STEP_SECONDS = 1 / 30;

/** Plays a file by the browser's own means. The element is its own until it is closed. */
export class FilePlayback implements PlayerSource {
  readonly tracks: readonly TrackReport[] = [];
  readonly #init: FilePlaybackInit;
  readonly #events = createEmitter<PlayerSourceEvents>();
  readonly #scope = new AbortController();
  #state: PlayerState = "idle";
  #error: ClientError | undefined;
  #paused = false;
  #loopRange: LoopRange | undefined;
  /** Where playing is to be as soon as the file is known. */
  #target: number | undefined;

  constructor(init: FilePlaybackInit) {
    this.#init = init;
    this.#target = init.startSeconds;
    const { video } = init;
    video.srcObject = null;
    video.loop = init.loop;
    const on = (name: keyof HTMLMediaElementEventMap, listener: () => void): void =>
      video.addEventListener(name, listener, { signal: this.#scope.signal });
    on("loadedmetadata", () => this.#arrive());
    on("durationchange", () => this.#events.emit("position", undefined));
    on("playing", () => this.#apply("play"));
    on("waiting", () => this.#apply("buffer"));
    on("pause", () => {
      if (video.ended) return;
      this.#paused = true;
      this.#apply("pause");
    });
    on("ended", () => this.#apply("end"));
    on("timeupdate", () => {
      const range = this.#loopRange;
      if (range !== undefined && video.currentTime >= range.endSeconds) this.seek(range.startSeconds);
    });
    on("seeked", () => this.#events.emit("position", undefined));
    on("error", () => this.#fail());
  }

  get state(): PlayerState {
    return this.#state;
  }
  get error(): ClientError | undefined {
    return this.#error;
  }
  get positionSeconds(): number {
    return this.#target ?? this.#init.video.currentTime;
  }
  get durationSeconds(): number | undefined {
    const { duration } = this.#init.video;
    return Number.isFinite(duration) ? duration : undefined;
  }
  get rate(): number {
    return this.#init.video.playbackRate;
  }
  get soundMuted(): boolean {
    return false;
  }
  get loopRange(): LoopRange | undefined {
    return this.#loopRange;
  }
  get paused(): boolean {
    return this.#paused;
  }

  on<Name extends keyof PlayerSourceEvents>(
    name: Name,
    listener: (event: PlayerSourceEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  play(): void {
    const { video, url, start } = this.#init;
    this.#paused = false;
    if (this.#state === "idle" || this.#state === "error") {
      this.#target = this.positionSeconds;
      this.#error = undefined;
      this.#apply("open");
      video.src = url;
    } else if (this.#state === "ended") this.seek(0);
    void start().then(started => {
      if (!started && !this.#scope.signal.aborted) {
        this.#paused = true;
        this.#apply("pause");
      }
    });
  }

  pause(): void {
    this.#paused = true;
    this.#init.video.pause();
  }

  seek(seconds: number): void {
    const target = Math.min(Math.max(0, seconds), this.durationSeconds ?? Number.POSITIVE_INFINITY);
    if (this.#target === undefined) this.#init.video.currentTime = target;
    else this.#target = target;
    this.#events.emit("position", undefined);
  }

  setLoop(loop: boolean, range?: LoopRange): void {
    this.#init.video.loop = loop;
    this.#loopRange = range;
    this.#events.emit("position", undefined);
  }

  get qualities(): readonly string[] {
    return [];
  }
  get quality(): string {
    return "auto";
  }
  /** The file itself has the one quality that it has. */
  setQuality(): void {}

  setRate(rate: number): void {
    const { video } = this.#init;
    // A new file would begin at the default rate.
    video.defaultPlaybackRate = rate;
    video.playbackRate = rate;
    this.#events.emit("position", undefined);
  }

  step(frames: 1 | -1): void {
    this.pause();
    this.seek(this.positionSeconds + frames * STEP_SECONDS);
  }

  seen(): void {
    // The element itself says when it plays.
  }

  retryNow(): void {
    // The browser fetches by itself.
  }

  async stats(): Promise<PlayerStats> {
    const { video } = this.#init;
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    const { stats } = summariseStats([], performance.now(), undefined);
    return {
      ...stats,
      delivery: "http",
      width: video.videoWidth,
      height: video.videoHeight,
      framesDecoded: totalVideoFrames,
      framesDropped: droppedVideoFrames,
    };
  }

  close(): void {
    this.#scope.abort();
    const { video } = this.#init;
    video.loop = false;
    video.defaultPlaybackRate = 1;
    video.playbackRate = 1;
    video.removeAttribute("src");
    // Ends the fetch of the file that was there.
    video.load();
    this.#apply("close");
    this.#events.clear();
  }

  #arrive(): void {
    const target = this.#target ?? 0;
    this.#target = undefined;
    if (target > 0) this.#init.video.currentTime = target;
    this.#events.emit("position", undefined);
  }

  #fail(): void {
    const { error } = this.#init.video;
    const code = error?.code === MediaError.MEDIA_ERR_NETWORK ? "NODE_UNREACHABLE" : "UNSUPPORTED_MEDIA";
    this.#target = this.positionSeconds;
    this.#error = new ClientError(code, error?.message || "The browser could not play the file on");
    this.#apply("fail");
    this.#events.emit("error", this.#error);
  }

  #apply(signal: PlayerSignal): void {
    const next = nextState(this.#state, signal);
    if (next === this.#state) return;
    this.#state = next;
    this.#events.emit("state", next);
  }
}
