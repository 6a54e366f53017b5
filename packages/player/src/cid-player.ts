import type { ClientError, LoopRange } from "@cidcast/client";
import type { CidPlayerDetail, CidPlayerEventMap } from "./events.ts";
import { createFileFallback } from "./playback/file-fallback.ts";
import { FilePlayback } from "./playback/file-playback.ts";
import type { PlayerSource } from "./playback/player-source.ts";
import { Playback } from "./playback/playback.ts";
import type { PlayerState } from "./playback/player-state.ts";
import type { PlayerStats } from "./playback/stats.ts";
import { type CaptionTrack, createCaptionTrack } from "./ui/caption-track.ts";
import { keyCommand } from "./ui/keyboard.ts";
import { type KeyPanels, obeyKey } from "./ui/obey-key.ts";
import { createPictureInPicture, type PictureInPicture } from "./ui/picture-in-picture.ts";
import { retryWords } from "./text/error-text.ts";
import { checkRate, rateWords } from "./ui/rates.ts";
import { createSound, type Sound } from "./ui/sound.ts";
import { createPlayerStyles } from "./ui/styles.ts";
import { createView, type View } from "./ui/view.ts";
import { watchKeys } from "./ui/watch-keys.ts";
import { adaptToViewer } from "./viewing/adapt-to-viewer.ts";
import { textActions, textsOf } from "./playback/texts.ts";
import { createMediaKeys } from "./viewing/media-session.ts";
import { createGestures } from "./viewing/gestures.ts";
import { checkRange, LoopMarks } from "./viewing/loop-marks.ts";
import { copyLink, shareLink, storyboardUrl } from "./viewing/share-link.ts";
import { createPlaces, keepPlace, startOf } from "./viewing/places.ts";
import { createStatsSampler } from "./viewing/stats-sampler.ts";

/** How often position and controls are brought up to date while playing, ms. */
const TICK_MS = 250;
/** How often the statistics are, ms. */
const STATS_MS = 1_000;

/**
 * `<cid-player src-cid="bafy…">`: plays a CID of a cidcast node.
 *
 * Attributes: `src-cid` the CID, or a CID and a path; `node` the node's address (default: where the page comes from);
 * `autoplay`; `muted`; `loop`; `poster` address of a picture shown before the first one; `title`; `start` seconds; `resume` goes on where this browser left; `keys="page"` takes keys pressed anywhere in the page.
 * Events: see {@link CidPlayerEventMap}. CSS: `--cid-player-accent`, `--cid-player-aspect`, and parts.
 */
export class CidPlayer extends HTMLElement {
  static readonly observedAttributes = ["src-cid", "node", "loop", "muted", "poster"];

  readonly #view: View;
  readonly #sampler: ReturnType<typeof createStatsSampler>;
  readonly #sound: Sound;
  readonly #captions: CaptionTrack;
  readonly #pip: PictureInPicture;
  readonly #places = createPlaces(() => localStorage);
  #playback: PlayerSource | undefined;
  /** Ends with the CID that is played. */
  #loaded = new AbortController();
  #scope: AbortController | undefined;
  #askedMs = 0;
  #token: string | undefined;
  #soundOnly = false;
  #words = "";
  #seen = false;
  #rate = 1;
  #soundMuted = false;
  #loopRange: LoopRange | undefined;
  readonly #marks = new LoopMarks();
  readonly #panels: KeyPanels = {
    toggleStats: () => {
      this.#view.stats.toggle();
      void this.#sampler(this.#playback);
      this.#update();
    },
    toggleHelp: () => {
      this.#view.help.toggle();
      this.#update();
    },
    closePanels: () => {
      this.#view.help.toggle(false);
      this.#view.stats.toggle(false);
      this.#update();
    },
    changeRate: rate => this.#changeRate(rate),
    mark: point => {
      const { words, change } = this.#marks.mark(point, this.currentTime, this.#loopRange);
      if (change !== undefined) this.loopRange = change.range;
      this.#view.notice.say(words);
    },
    copyLink: () => void copyLink(this.shareLink, text => this.#view.notice.say(text)),
  };
  readonly #mediaKeys = createMediaKeys("mediaSession" in navigator ? navigator.mediaSession : undefined, {
    play: () => this.play(),
    pause: () => this.pause(),
    seek: seconds => this.seek(seconds),
    seekBy: seconds => this.seek(this.currentTime + seconds),
  });

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [createPlayerStyles()];
    const say = (text: string): void => this.#view.notice.say(text);
    this.#view = createView({
      togglePlay: () => (this.paused ? this.play() : this.pause()),
      seek: seconds => this.seek(seconds),
      toggleMute: () => this.#sound.setMuted(!this.#sound.muted),
      setVolume: volume => this.#sound.setVolume(volume),
      unmute: () => this.#sound.setMuted(false),
      toggleLoop: () => this.toggleAttribute("loop"),
      toggleStats: () => this.#panels.toggleStats(),
      toggleHelp: () => this.#panels.toggleHelp(),
      toggleFullscreen: () => void this.toggleFullscreen(),
      togglePictureInPicture: () => void this.togglePictureInPicture(),
      copyLink: () => this.#panels.copyLink(),
      setRate: rate => this.#changeRate(rate),
      setQuality: level => this.#playback?.setQuality(level),
      ...textActions(() => this.#playback),
      pictureUrl: path => storyboardUrl(this.#node, this.srcCid, path, this.#token),
      touch: createGestures(this, { say, changeRate: rate => this.#changeRate(rate) }),
      retry: () => this.play(),
    });
    root.append(this.#view.frame);
    this.#captions = createCaptionTrack(this.#view.video, () => this.#playback);
    this.#sampler = createStatsSampler(this.#view.stats);
    this.#pip = createPictureInPicture(this.#view.video, () => this.#soundOnly);
    this.#sound = createSound(this.#view.video, () => this.#update());
  }

  /** What the player is doing. */
  get state(): PlayerState {
    return this.#playback?.state ?? "idle";
  }
  /** The error that is shown, when `state` is `error`. */
  get error(): ClientError | undefined {
    return this.#playback?.error;
  }
  /** True when the viewer wants it to stand still, or it has ended or failed. */
  get paused(): boolean {
    return ["idle", "ended", "error"].includes(this.state) || (this.#playback?.paused ?? true);
  }
  /** Position in seconds; setting it seeks. */
  get currentTime(): number {
    return this.#playback?.positionSeconds ?? 0;
  }
  set currentTime(seconds: number) {
    this.seek(seconds);
  }
  /** Duration in seconds; NaN while it is not known. */
  get duration(): number {
    return this.#playback?.durationSeconds ?? Number.NaN;
  }
  /** The CID that is played, as in `src-cid`. */
  get srcCid(): string {
    return this.getAttribute("src-cid") ?? "";
  }
  set srcCid(cid: string) {
    this.setAttribute("src-cid", cid);
  }
  /** Token, where the node wants one. Never reflected in the page. */
  get token(): string | undefined {
    return this.#token;
  }
  set token(token: string | undefined) {
    if (token === this.#token) return;
    this.#token = token;
    if (this.#scope !== undefined) this.#load();
  }
  get volume(): number {
    return this.#sound.volume;
  }
  set volume(volume: number) {
    this.#sound.setVolume(volume);
  }
  get muted(): boolean {
    return this.#sound.muted;
  }
  set muted(muted: boolean) {
    this.#sound.setMuted(muted);
  }
  get loop(): boolean {
    return this.hasAttribute("loop");
  }
  set loop(loop: boolean) {
    this.toggleAttribute("loop", loop);
  }
  /** Seconds of media per second, 0.25 to 4. Sound keeps its pitch from 0.5 to 2, and is muted outside. */
  get playbackRate(): number {
    return this.#rate;
  }
  set playbackRate(rate: number) {
    checkRate(rate);
    this.#playback?.setRate((this.#rate = rate));
    this.#onRate();
  }
  /** Levels of quality to choose from, `auto` first; none where there is one quality. */
  get qualities(): readonly string[] {
    return this.#playback?.qualities ?? [];
  }
  /** The level that is chosen; setting it goes over at the next keyframe. */
  get quality(): string {
    return this.#playback?.quality ?? "auto";
  }
  set quality(level: string) {
    this.#playback?.setQuality(level);
  }
  /** The part that is repeated, seconds; undefined: none. */
  get loopRange(): LoopRange | undefined {
    return this.#loopRange;
  }
  set loopRange(range: LoopRange | undefined) {
    checkRange(range);
    this.#loopRange = range;
    this.#playback?.setLoop(this.loop, range);
    this.#update();
  }
  /** The node that is asked where no attribute names one. */
  protected get defaultNode(): string {
    return location.origin;
  }
  get #node(): string {
    return this.getAttribute("node") ?? this.defaultNode;
  }
  /** Address that plays this content from where it is. */
  get shareLink(): string {
    return shareLink(this.#node, this.srcCid, this.currentTime);
  }

  /** Starts, goes on after a pause, tries again after an error, or plays again after the end. */
  play(): void {
    if (["idle", "error"].includes(this.state)) this.#askedMs = performance.now();
    this.#playback?.play();
    this.#sound.setPaused(false);
    if (this.#view.video.paused && this.#view.video.srcObject instanceof MediaStream) {
      void this.#sound.start(this.#view.video.srcObject);
    }
    this.#update();
  }

  /** Stands still where it is. */
  pause(): void {
    this.#playback?.pause();
    this.#sound.setPaused(true);
    this.#update();
  }

  /** Goes to that place, seconds; places outside the media are moved to its ends. */
  seek(seconds: number): void {
    if (!Number.isFinite(seconds)) throw new TypeError("A place to seek to is a finite number of seconds");
    this.#playback?.seek(seconds);
    this.#update();
  }

  /** Shows the next picture, or the one before; pauses where it plays. */
  step(frames: 1 | -1): void {
    this.#playback?.step(frames);
    this.#sound.setPaused(true);
    this.#update();
  }

  /** How playing goes. Rates are over the time since the last call. */
  async stats(): Promise<PlayerStats | undefined> {
    return this.#playback?.stats();
  }

  async toggleFullscreen(): Promise<void> {
    if (document.fullscreenElement === this) await document.exitFullscreen();
    else await this.requestFullscreen();
  }

  /** Needs a click or key, as browsers want it. */
  async togglePictureInPicture(): Promise<void> {
    if (!(await this.#pip.toggle())) this.#view.notice.say("Picture in picture is not possible now");
    this.#update();
  }

  connectedCallback(): void {
    const scope = new AbortController();
    this.#scope = scope;
    const { signal } = scope;
    if (this.hasAttribute("muted")) this.#sound.setMuted(true);
    watchKeys({ host: this, frame: this.#view.frame, onKey: press => this.#onKey(press), signal });
    addEventListener("online", () => this.#playback?.retryNow(), { signal });
    document.addEventListener("fullscreenchange", () => this.#update(), { signal });
    for (const change of ["enterpictureinpicture", "leavepictureinpicture"]) {
      this.#view.video.addEventListener(change, () => this.#update(), { signal });
    }
    const tick = setInterval(() => this.#tick(), TICK_MS);
    const sample = setInterval(() => {
      void this.#sampler(this.#playback);
      if (this.state === "playing") keepPlace(this, this.#places);
    }, STATS_MS);
    addEventListener("pagehide", () => keepPlace(this, this.#places), { signal });
    signal.addEventListener("abort", () => {
      clearInterval(tick);
      clearInterval(sample);
    });
    this.#load();
  }

  disconnectedCallback(): void {
    this.#scope?.abort();
    this.#scope = undefined;
    this.#unload();
    this.#mediaKeys.release();
    this.#view.close();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (this.#scope === undefined || before === after) return;
    if (name === "loop") this.#playback?.setLoop(after !== null, this.#loopRange);
    else if (name === "poster") this.#update();
    else if (name === "muted") this.#sound.setMuted(after !== null);
    else this.#load();
    this.#update();
  }

  #load(): void {
    this.#unload();
    this.#loopRange = undefined;
    if (this.srcCid === "") return this.#update();
    const source = { node: this.#node, token: this.#token, cid: this.srcCid };
    const fallback = createFileFallback({
      ...source,
      signal: this.#loaded.signal,
      onFile: url => this.#playFile(url, playback),
    });
    const adapted = adaptToViewer(this.#view, this.#loaded.signal);
    const playback = new Playback({
      ...source,
      ...adapted.init,
      startSeconds: startOf(this, this.#places),
      loop: this.loop,
      rate: this.#rate,
      rescue: error => fallback.rescue(error),
    });
    playback.on("state", state => {
      if (state === "connecting") fallback.begin();
    });
    adapted.follow(playback);
    this.#use(playback);
    if (this.hasAttribute("autoplay")) this.play();
    this.#update();
  }

  /** Goes on with the file itself where WebRTC was to come up. False when it has, or failed for good. */
  #playFile(url: string, before: Playback): boolean {
    const { positionSeconds, paused } = before;
    if (this.#playback !== before || before.connected || before.state === "error") return false;
    const file = new FilePlayback({
      video: this.#view.video,
      url,
      startSeconds: positionSeconds,
      loop: this.loop,
      start: () => this.#sound.start(),
    });
    const { signal } = this.#loaded;
    const first = (): void => this.#emit("cid-first-frame", { elapsedMs: performance.now() - this.#askedMs });
    this.#view.video.addEventListener("playing", first, { once: true, signal });
    this.#use(file);
    before.close();
    if (this.#rate !== 1) file.setRate(this.#rate);
    if (this.#loopRange !== undefined) file.setLoop(this.loop, this.#loopRange);
    if (!paused) this.play();
    this.#update();
    return true;
  }

  #use(playback: PlayerSource): void {
    this.#playback = playback;
    playback.on("state", state => {
      // One whose place another has taken says nothing more.
      if (this.#playback === playback) this.#onState(state);
    });
    playback.on("error", error => {
      this.#view.error.show(error);
      this.#emit("cid-error", { code: error.code, message: error.message });
    });
    playback.on("position", () => {
      if (playback.soundMuted !== this.#soundMuted) this.#onRate();
      this.#update();
    });
    playback.on("stream", stream => void this.#onStream(stream, playback));
    playback.on("seek", () => this.#view.seekCover.begin());
    playback.on("landed", pictureTime => this.#view.seekCover.arrive(pictureTime));
    playback.on("damaged", ({ positionSeconds, message }) => {
      this.#view.notice.tell("The file is damaged: it plays up to here");
      this.#emit("cid-damaged", { positionSeconds, message });
    });
    playback.on("tracks", tracks => this.#emit("cid-tracks", { tracks }));
    playback.on("retry", retry => {
      const { attempt, waitMs, cause } = retry;
      this.#words = retryWords(cause.code, attempt);
      this.#askedMs = performance.now() + waitMs;
      this.#emit("cid-retry", { attempt, waitMs, code: cause.code });
      this.#update();
    });
  }

  #unload(): void {
    this.#loaded.abort();
    this.#loaded = new AbortController();
    this.#playback?.close();
    this.#playback = undefined;
    this.#view.video.srcObject = null;
    this.#view.error.hide();
    this.#view.notice.untell();
    this.#soundOnly = this.#seen = false;
    this.#marks.forget();
  }

  #onState(state: PlayerState): void {
    if (state !== "reconnecting") this.#words = state === "buffering" ? "Waiting for content…" : "";
    if (state !== "error") this.#view.error.hide();
    if (state !== "ended") this.#view.notice.untell();
    this.#sound.setPaused(state === "paused");
    if (state === "playing") {
      this.#seen = true;
      this.#mediaKeys.take(this.title || document.title, this.getAttribute("poster") ?? undefined);
    }
    if (state === "paused" || state === "ended") keepPlace(this, this.#places);
    this.#emit("cid-state", { state });
    this.#update();
  }

  async #onStream(stream: MediaStream, playback: PlayerSource): Promise<void> {
    const { video } = this.#view;
    this.#soundOnly = stream.getVideoTracks().length === 0;
    const seen = (): void => {
      if (this.#playback !== playback || video.srcObject !== stream) return;
      // A stream that ends before its first frame is shown as one black frame.
      if (stream.getTracks().every(track => track.readyState === "ended")) return;
      playback.seen();
      this.#emit("cid-first-frame", { elapsedMs: performance.now() - this.#askedMs });
    };
    const started = this.#sound.start(stream);
    if (!this.#soundOnly) video.requestVideoFrameCallback(seen);
    else stream.getAudioTracks()[0]?.addEventListener("unmute", seen, { once: true });
    if (!(await started) && this.#playback === playback) this.pause();
  }

  #onKey(press: KeyboardEvent): boolean {
    const command = keyCommand(press);
    if (command === undefined || this.#playback === undefined) return false;
    const panelOpen = this.#view.help.open || this.#view.stats.open;
    // Escape without a panel is the browser's: it leaves full screen.
    if (command.type === "close-panels" && !panelOpen) return false;
    this.#view.wakeControls();
    obeyKey(command, this, this.#panels);
    return true;
  }

  #changeRate(rate: number): void {
    this.playbackRate = rate;
    this.#view.notice.say(rateWords(rate));
  }

  #onRate(): void {
    this.#soundMuted = this.#playback?.soundMuted ?? false;
    this.#emit("cid-rate", { playbackRate: this.#rate, soundMuted: this.#soundMuted });
    this.#update();
  }

  #tick(): void {
    if (this.state !== "playing") return;
    this.#emit("cid-time", { currentTime: this.currentTime, duration: this.duration });
    this.#update();
  }

  #update(): void {
    this.#captions.update();
    this.#mediaKeys.update(this);
    this.#view.update({
      state: this.state,
      positionSeconds: this.currentTime,
      durationSeconds: this.#playback?.durationSeconds,
      bufferedSeconds: this.currentTime,
      volume: this.#sound.volume,
      muted: this.#sound.muted,
      loop: this.loop,
      loopRange: this.#loopRange,
      rate: this.#rate,
      qualities: this.qualities,
      quality: this.quality,
      ...textsOf(this.#playback),
      pictureInPicture: this.#pip.on,
      posterUrl: this.getAttribute("poster") ?? undefined,
      seen: this.#seen,
      fullscreen: document.fullscreenElement === this,
      words: this.#words,
      soundBlocked: this.#sound.blocked,
      soundOnly: this.#soundOnly,
    });
  }

  #emit<Name extends keyof CidPlayerEventMap>(name: Name, detail: CidPlayerDetail<Name>): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
