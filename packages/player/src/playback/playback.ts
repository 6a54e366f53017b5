import {
  isTransient,
  ClientError,
  type ControlEvent,
  createBackoff,
  createEmitter,
  type ErrorCode,
  type LoopRange,
  openPeerSession,
  openSignalling,
  type PeerSession,
  type PlaybackReport,
  type SignallingClient,
  type TrackReport,
} from "@cidcast/client";
import type { Bandwidth } from "../viewing/bandwidth.ts";
import type { PictureSize } from "../viewing/picture-size.ts";
import { keepConnected } from "./keep-connected.ts";
import { RECONNECT } from "./limits.ts";
import { nextState, type PlayerSignal, type PlayerState } from "./player-state.ts";
import { type NodeFigures, readNodeFigures } from "./node-figures.ts";
import type { PlayerSource, PlayerSourceEvents } from "./player-source.ts";
import { noTexts, takeTexts } from "./texts.ts";
import { createPositionClock } from "./position-clock.ts";
import { type PlayerStats, type StatsBaseline, summariseStats } from "./stats.ts";

/** How long reports that contradict a seek just asked for are passed over, ms: they were on their way already. */
const SEEK_SETTLE_MS = 800;
/** Shortest time between two questions for the node's figures, ms. */
const FIGURES_INTERVAL_MS = 900;
/** How far a report may be from a seek's target to count as its effect, seconds. */
const SEEK_TOLERANCE_SECONDS = 1.5;
/** What ends so much before its length is cut off; nearer, lengths and ends differ by a frame or two, seconds. */
const EARLY_END_SECONDS = 1;

/** Errors that answer a command and say nothing about playing. */
const COMMAND_ERRORS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "INVALID_REQUEST",
  "PAYLOAD_TOO_LARGE",
  "LIMIT_REACHED",
  "CONFLICT",
]);

export interface PlaybackInit {
  /** Address of the node. */
  readonly node: string;
  readonly token?: string | undefined;
  readonly cid: string;
  readonly startSeconds: number;
  readonly loop: boolean;
  readonly loopRange?: LoopRange | undefined;
  readonly rate?: number;
  /** What the path carried last time; kept when the node says so. */
  readonly bandwidth?: Bandwidth;
  /** Size at which the picture is shown, when it is. */
  readonly view?: () => PictureSize | undefined;
  /** Asked before an error is final: true when the content is played by other means. */
  readonly rescue?: (error: ClientError) => Promise<boolean>;
}

/** Plays one CID from one node, through as many connections as it takes. Position, pause and loop outlive each of them. */
export class Playback implements PlayerSource {
  readonly #init: PlaybackInit;
  readonly #events = createEmitter<PlayerSourceEvents>();
  readonly #clock = createPositionClock();
  readonly #backoff = createBackoff(RECONNECT);
  #state: PlayerState = "idle";
  #error: ClientError | undefined;
  #tracks: readonly TrackReport[] = [];
  #loop: boolean;
  #loopRange: LoopRange | undefined;
  #soundMuted = false;
  #paused = false;
  #connected = false;
  /** Outlives a lost connection, as the viewer's other wishes do. */
  #quality = "auto";
  #soundTrack = "";
  readonly texts = noTexts();
  #scope: AbortController | undefined;
  #session: PeerSession<RTCPeerConnection> | undefined;
  /** The last session that played, once it is lost: what the next one stands for. */
  #lost: string | undefined;
  #figures: NodeFigures | undefined;
  #askedFiguresMs = Number.NEGATIVE_INFINITY;
  #baseline: StatsBaseline | undefined;
  /** What the node has last said of this session. */
  #reported: PlaybackReport["state"] | undefined;
  /** True when the viewer has seen or heard something of this session. */
  #seen = false;
  /** Gives up the connection that there is for a new one. */
  #lose: (error: ClientError) => void = () => undefined;
  /** A connection that begins in the middle has not got there yet. */
  #beginning = false;
  /** Seeks and steps back so far. */
  #jumps = 0;
  #pendingSeek: { readonly target: number; readonly untilMs: number } | undefined;
  #wake: () => void = () => undefined;

  constructor(init: PlaybackInit) {
    this.#init = init;
    this.#loop = init.loop;
    this.#loopRange = init.loopRange;
    this.#clock.rate = init.rate ?? 1;
    this.#clock.set(init.startSeconds, false, 0);
  }

  get state(): PlayerState {
    return this.#state;
  }
  get error(): ClientError | undefined {
    return this.#error;
  }
  get positionSeconds(): number {
    return this.#clock.at(performance.now());
  }
  get durationSeconds(): number | undefined {
    return this.#clock.durationSeconds;
  }
  get loop(): boolean {
    return this.#loop;
  }
  get loopRange(): LoopRange | undefined {
    return this.#loopRange;
  }
  get rate(): number {
    return this.#clock.rate;
  }
  get soundMuted(): boolean {
    return this.#soundMuted;
  }
  /** What the viewer wants, whatever the state is. */
  get paused(): boolean {
    return this.#paused;
  }
  /** True when a media connection has come up, now or before. */
  get connected(): boolean {
    return this.#connected || this.#session?.connection.connectionState === "connected";
  }
  get tracks(): readonly TrackReport[] {
    return this.#tracks;
  }

  on<Name extends keyof PlayerSourceEvents>(
    name: Name,
    listener: (event: PlayerSourceEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /** Starts, or starts anew after an error, where it was. */
  open(): void {
    this.#scope?.abort();
    const scope = new AbortController();
    this.#scope = scope;
    this.#error = undefined;
    this.#backoff.reset();
    this.#apply("open");
    void this.#run(scope.signal);
  }

  play(): void {
    this.#paused = false;
    if (this.#state === "idle" || this.#state === "error") return this.open();
    if (this.#state === "ended") this.seek(0);
    this.#session?.control({ type: "resume" });
  }

  pause(): void {
    this.#paused = true;
    this.#session?.control({ type: "pause" });
  }

  seek(seconds: number): void {
    const target = Math.min(Math.max(0, seconds), this.durationSeconds ?? Number.POSITIVE_INFINITY);
    this.#pendingSeek = { target, untilMs: performance.now() + SEEK_SETTLE_MS };
    this.#clock.set(target, this.#state === "playing", performance.now());
    this.#session?.control({ type: "seek", positionSeconds: target, id: this.#jump() });
    this.#events.emit("position", undefined);
  }

  setLoop(loop: boolean, range?: LoopRange): void {
    this.#loop = loop;
    this.#loopRange = range;
    this.#session?.control({ type: "set_loop", loop: loop || range !== undefined, range });
    this.#events.emit("position", undefined);
  }

  get qualities(): readonly string[] {
    return this.#session?.qualities ?? [];
  }
  get quality(): string {
    return this.#quality;
  }
  setQuality(level: string): void {
    this.#quality = level;
    this.#session?.setQuality(level);
    this.#events.emit("position", undefined);
  }

  /** The picture is shown at another size. */
  setView(size: PictureSize): void {
    this.#session?.control({ type: "set_view", ...size });
  }

  setCaption(id: string): void {
    Object.assign(this.texts, { caption: id, cues: [] });
    this.#session?.control({ type: "captions", trackId: id || null });
    this.#events.emit("position", undefined);
  }
  setSoundTrack(id: string): void {
    this.#soundTrack = id;
    this.#session?.setTrack(id);
  }

  setRate(rate: number): void {
    if (rate === this.#clock.rate) return;
    this.#clock.rate = rate;
    this.#session?.control({ type: "set_rate", rate });
    this.#events.emit("position", undefined);
  }

  step(frames: 1 | -1): void {
    this.#paused = true;
    this.#pendingSeek = undefined;
    // Back is a seek: what is decoded on the way is not to be seen.
    this.#session?.control({ type: "step", frames, id: frames < 0 ? this.#jump() : undefined });
  }

  /** A name for a jump: the node's answer to it says that it has got there. */
  #jump(): string {
    this.#jumps += 1;
    if (this.#session !== undefined && this.#seen) this.#events.emit("seek", undefined);
    return `jump ${this.#jumps}`;
  }

  /** To be called when the viewer sees or hears something of the newest stream. */
  seen(): void {
    if (this.#seen || this.#session === undefined) return;
    this.#seen = true;
    this.#connected = true;
    this.#backoff.reset();
    this.#settle();
  }

  /** Cuts the wait for the next attempt short. */
  retryNow(): void {
    this.#wake();
  }

  async stats(): Promise<PlayerStats> {
    const reports = this.#session ? [...(await this.#session.connection.getStats()).values()] : [];
    const { stats, baseline } = summariseStats(reports, performance.now(), this.#baseline);
    this.#baseline = baseline;
    const nowMs = performance.now();
    if (nowMs - this.#askedFiguresMs >= FIGURES_INTERVAL_MS) {
      this.#askedFiguresMs = nowMs;
      this.#session?.askFigures();
    }
    return { ...stats, node: this.#figures };
  }

  close(): void {
    this.#scope?.abort();
    this.#apply("close");
    this.#events.clear();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const failed = await keepConnected({
      connect: scope => this.#connectOnce(scope),
      backoff: this.#backoff,
      signal,
      onRetry: ({ attempt, waitMs, wake, cause }) => {
        this.#wake = wake;
        this.#apply("lose");
        this.#events.emit("retry", { attempt, waitMs, cause });
      },
    });
    if (failed === undefined || (await this.#init.rescue?.(failed))) return;
    if (!signal.aborted) this.#fail(failed);
  }

  /** One connection, from the socket to its loss. Resolves to what it was lost to. */
  async #connectOnce(signal: AbortSignal): Promise<ClientError> {
    const { promise: lost, resolve: lose } = Promise.withResolvers<ClientError>();
    this.#lose = lose;
    let signalling: SignallingClient | undefined;
    let session: PeerSession<RTCPeerConnection> | undefined;
    try {
      signalling = await openSignalling({ node: this.#init.node, token: this.#init.token, signal });
      const startSeconds = this.positionSeconds;
      session = await openPeerSession({
        signalling,
        cid: this.#init.cid,
        startSeconds,
        replaces: this.#replaced,
        bandwidthBps: this.#init.bandwidth?.get(),
        view: this.#init.view?.(),
        signal,
        createPeerConnection: configuration => new RTCPeerConnection(configuration),
      });
      session.on("lost", lose);
      signal.addEventListener("abort", () => lose(new ClientError("ABORTED", "Playing was ended")), {
        once: true,
      });
      this.#begin(session, startSeconds);
      return await lost;
    } finally {
      if (this.#session === session) this.#session = undefined;
      if (session !== undefined && this.#seen) this.#lost = session.pcId;
      session?.close();
      signalling?.close();
    }
  }

  get #replaced(): { readonly pcId: string; readonly attempt: number } | undefined {
    if (this.#lost === undefined) return undefined;
    return { pcId: this.#lost, attempt: Math.max(1, this.#backoff.attempts) };
  }

  #begin(session: PeerSession<RTCPeerConnection>, startSeconds: number): void {
    this.#session = session;
    this.#seen = false;
    this.#reported = undefined;
    this.#baseline = undefined;
    this.#figures = undefined;
    session.on("figures", figures => {
      this.#figures = readNodeFigures(figures);
    });
    session.on("control", event => this.#onControl(event));
    this.#beginning = startSeconds > 0;
    if (this.#beginning) this.#events.emit("seek", undefined);
    // What the viewer has asked for meanwhile.
    if (this.positionSeconds !== startSeconds) this.seek(this.positionSeconds);
    if (this.#paused) session.control({ type: "pause" });
    if (this.#quality !== "auto") session.setQuality(this.#quality);
    if (this.#soundTrack !== "") session.setTrack(this.#soundTrack);
    if (this.texts.caption !== "") this.setCaption(this.texts.caption);
    if (this.rate !== 1) session.control({ type: "set_rate", rate: this.rate });
    if (this.#loop || this.#loopRange) {
      session.control({ type: "set_loop", loop: true, range: this.#loopRange });
    }
    this.#events.emit(
      "stream",
      new MediaStream(session.tracks.filter(track => track instanceof MediaStreamTrack)),
    );
  }

  #onControl(event: ControlEvent): void {
    if (takeTexts(this.texts, event)) return this.#events.emit("position", undefined);
    switch (event.type) {
      case "state":
        this.#land(event);
        this.#reported = event.state;
        this.#soundMuted = event.soundMuted ?? false;
        this.#clock.durationSeconds = event.durationSeconds > 0 ? event.durationSeconds : undefined;
        // Where it stands is the place that is told, however long it takes to get to that here.
        this.#report(event.positionSeconds, event.state === "playing");
        return this.#settle();
      case "position":
        return this.#report(event.positionSeconds);
      case "lead_in":
        return event.pictureTime === undefined
          ? this.#events.emit("seek", undefined)
          : this.#events.emit("landed", event.pictureTime);
      case "ended":
        this.#reported = "ended";
        this.#clock.set(event.positionSeconds, false, performance.now());
        this.#pendingSeek = undefined;
        return this.#settle();
      case "damaged":
        return this.#events.emit("damaged", event);
      case "tracks":
        this.#tracks = event.tracks;
        this.#events.emit("tracks", event.tracks);
        return this.#events.emit("position", undefined);
      case "quality":
        // At the start nothing is known yet.
        if (event.change !== "start") this.#init.bandwidth?.keep(event.estimateBps);
        return this.#events.emit("pictures", event.pictures);
      case "error":
        return this.#onError(event.error);
    }
  }

  #onError(error: ClientError): void {
    // A command that was refused changes nothing: playing goes on.
    if (COMMAND_ERRORS.has(error.code)) return;
    if (isTransient(error)) this.#lose(error);
    else this.#fail(error);
  }

  /** The answer to the last jump, or the start of a connection that begins in the middle. */
  #land({ id, state, pictureTime }: Extract<ControlEvent, { type: "state" }>): void {
    const begun = this.#beginning && (state === "playing" || state === "paused");
    if (id !== `jump ${this.#jumps}` && !begun) return;
    this.#beginning = false;
    this.#events.emit("landed", pictureTime);
  }

  #report(positionSeconds: number, running = true): void {
    const nowMs = performance.now();
    const seek = this.#pendingSeek;
    const stale = seek !== undefined && nowMs < seek.untilMs;
    if (stale && Math.abs(positionSeconds - seek.target) > SEEK_TOLERANCE_SECONDS) return;
    this.#pendingSeek = undefined;
    this.#clock.set(positionSeconds, running && this.#state === "playing", nowMs);
    this.#events.emit("position", undefined);
  }

  /** Brings the state in line with what the node says and the viewer has seen. */
  #settle(): void {
    if (this.#reported === "ended") {
      const { durationSeconds } = this.#clock;
      const missing = (durationSeconds ?? 0) - this.#clock.at(performance.now());
      if (durationSeconds !== undefined && missing < EARLY_END_SECONDS) {
        this.#clock.set(durationSeconds, false, performance.now());
      }
      this.#apply("end");
      this.#events.emit("position", undefined);
    } else if (this.#reported === "paused") this.#apply("pause");
    else if (this.#reported === "buffering") this.#apply("buffer");
    else if (this.#seen) this.#apply("play");
  }

  #apply(signal: PlayerSignal): void {
    const next = nextState(this.#state, signal);
    if (next === this.#state) return;
    this.#state = next;
    this.#clock.run(next === "playing", performance.now());
    this.#events.emit("state", next);
  }

  #fail(error: ClientError): void {
    this.#error = error;
    this.#scope?.abort();
    this.#apply("fail");
    this.#events.emit("error", error);
  }
}
