import type { ControlEventMessage } from "@cidcast/protocols/media-control";
import {
  type Cancel,
  CidcastError,
  type Clock,
  type Logger,
  type Principal,
  toCidcastError,
} from "../../core/index.ts";
import { EARLY_END_SECONDS, type MediaInfo, type MediaSource, type TrackVerdict } from "../../media/index.ts";
import { stallEntry, type StallReport } from "../quality/stall-report.ts";
import type { QualityDecision, QualityEventKind, QualityWish } from "../quality/types.ts";
import type { IceCredentials, IceRestartAnswer } from "../peer.ts";
import type { HostClient } from "../thread/host-client.ts";
import type { SessionNote, SessionStats, SessionTotals } from "../thread/messages.ts";
import type {
  AddTrackInit,
  CandidateInit,
  ChannelDoor,
  ControlCommand,
  PlaybackState,
  QualityController,
  QualityLevel,
  StreamingSession,
} from "../types.ts";
import { connectionStats, type SessionTimes } from "./connection-stats.ts";
import { Feeder } from "./feeder.ts";
import { whyStalled } from "./why-stalled.ts";
import { SessionChannels } from "./session-channels.ts";
import { ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS, MAX_SDP_LENGTH } from "./limits.ts";
import { SessionText, type SessionTextInit } from "./session-text.ts";
import type { Reconnection } from "./reconnections.ts";
import type { SessionTracks } from "./session-tracks.ts";

/** Decisions that change what the viewer sees. */
const CHANGES: ReadonlySet<QualityEventKind> = new Set([
  "up",
  "down",
  "chosen",
  "pictures_paused",
  "pictures_resumed",
]);

/** What happens to a session, for its manager. */
export interface SessionHooks {
  readonly onConnected: (session: Session, sinceAnswerMs: number) => void;
  /** Its viewer has asked for new ICE credentials, for the `attempt`th time in a row. */
  readonly onRestart: (session: Session, attempt: number) => Reconnection;
  readonly onRestarted: (session: Session) => void;
  readonly onStarted: (session: Session, sinceRequestMs: number) => void;
  readonly onClosed: (session: Session, end: SessionEnd) => void;
  /** The first picture has arrived. */
  readonly onSeen: (session: Session, sinceRequestMs: number) => void;
  /** What a session came to. */
  readonly onTotals: (totals: SessionTotals) => void;
  readonly onError: (session: Session, error: CidcastError) => void;
  /** What the controller has decided; `level` is that of the rung. */
  readonly onQuality: (session: Session, decision: QualityDecision) => void;
}

/** How a session ended. */
export interface SessionEnd {
  readonly how: "local" | "remote" | "timeout" | "error";
  readonly reason: string;
}

export interface SessionParts {
  readonly id: string;
  readonly cid: string;
  readonly owner: string;
  /** Where the viewer came from. */
  readonly address: string | undefined;
  /** Who opened it, and whose events tell of it. */
  readonly principal: Principal;
  readonly kind: "video" | "audio";
  readonly source: MediaSource;
  readonly tracks: SessionTracks;
  readonly captions: SessionTextInit["captions"];
  readonly log: Logger;
  readonly host: HostClient;
  readonly clock: Clock;
  readonly quality: QualityController;
  readonly hooks: SessionHooks;
  readonly channels: ChannelDoor | undefined;
}

/** A viewer's session as the main thread keeps it: the media file, its segments, and the way to the media thread. */
export class Session implements StreamingSession {
  readonly id: string;
  readonly cid: string;
  readonly owner: string;
  readonly address: string | undefined;
  readonly tenantId: string | undefined;
  readonly #parts: SessionParts;
  readonly #feeder: Feeder;
  readonly #channels: SessionChannels;
  readonly #text: SessionText;
  readonly #createdAtMs: number;
  readonly #requestedMs: number;
  readonly #listeners = new Set<(event: ControlEventMessage) => void>();
  #qualityChangedAtMs: number;
  #answeredMs: number | undefined;
  #candidates = 0;
  /** An offer that restarts ICE is out. */
  #restarting = false;
  /** What is being tried after a connection was lost: that of another session, or its own. */
  #reconnection: Reconnection | undefined;
  #restarts = 0;
  readonly #candidateTypes = { host: 0, srflx: 0, prflx: 0, relay: 0 };
  /** Times of the opening, ms: offer after the request, connection after the answer, first packet after the request. */
  #times: SessionTimes = { offerMs: undefined, connectMs: undefined, firstPacketMs: undefined };
  #cancelTimer: Cancel = () => undefined;
  #state: "new" | "connecting" | "connected" | "closed" = "new";
  #closing: Promise<void> | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.cid = parts.cid;
    this.owner = parts.owner;
    this.address = parts.address;
    this.tenantId = parts.principal.tenantId;
    this.#createdAtMs = parts.clock.now();
    this.#qualityChangedAtMs = this.#createdAtMs;
    this.#requestedMs = parts.clock.monotonicMs();
    this.#text = new SessionText({
      cid: parts.cid,
      owner: parts.principal.tenantId ?? "",
      captions: parts.captions,
      say: (event, keep) => parts.host.send({ type: "say", id: parts.id, event, keep }),
      log: parts.log,
    });
    this.#feeder = new Feeder({
      renditions: parts.tracks.renditions,
      atTempo: (track, tempo) => parts.tracks.atTempo(track, tempo),
      choose: (track, rung) => parts.tracks.choose(track, rung),
      send: answer => parts.host.send(answer),
    });
    const { id, host, principal, channels: door } = parts;
    this.#channels = new SessionChannels({
      door,
      sessionId: id,
      principal,
      send: (channel, text) => host.send({ type: "channel", id, channel, text }),
      close: channel => host.send({ type: "channel", id, channel, text: undefined }),
    });
  }

  /** The thread it lives in. */
  get host(): HostClient {
    return this.#parts.host;
  }

  get info(): MediaInfo {
    return this.#parts.source.info;
  }

  get qualities(): readonly QualityLevel[] {
    return this.#parts.quality.levels();
  }

  get verdicts(): Readonly<Record<string, TrackVerdict>> {
    return Object.fromEntries(this.info.tracks.map(track => [track.id, track.verdict]));
  }

  get state(): string {
    return this.#state;
  }

  /** The session whose lost connection this one replaces. */
  get replaces(): string | undefined {
    return this.#reconnection?.lostId === this.id ? undefined : this.#reconnection?.lostId;
  }

  /** It is opened in the place of one that was lost. */
  follow(reconnection: Reconnection): void {
    this.#reconnection = reconnection;
  }

  /** Our offer is out: the viewer has its time to answer. */
  offered(): void {
    this.#times = { ...this.#times, offerMs: this.#sinceRequest() };
    this.#timeout(ANSWER_TIMEOUT_MS, "the viewer did not answer the offer");
  }

  /** Both descriptions are known, `sdp` is the viewer's: ICE and DTLS have their time. */
  described(sdp: string): void {
    this.#countTypes(sdp);
    this.#answeredMs = this.#parts.clock.monotonicMs();
    this.#state = "connecting";
    this.#timeout(CONNECT_TIMEOUT_MS, "no connection came to be");
  }

  async answer(sdp: string): Promise<void> {
    this.#alive();
    const { tracks } = this.#parts;
    const again = this.#answeredMs !== undefined;
    if (again && !tracks.isOffering && !this.#restarting)
      throw new CidcastError("CONFLICT", `session ${this.id} has its answer`);
    if (sdp.length > MAX_SDP_LENGTH) {
      throw new CidcastError("INVALID_SDP", `a session description has at most ${MAX_SDP_LENGTH} characters`);
    }
    if (again) this.#cancelTimer();
    else this.described(sdp);
    try {
      await this.#parts.host.ask("answer", { id: this.id, sdp });
      if (this.#restarting) this.#restarting = false;
      else tracks.answered();
    } catch (error) {
      // The connection's state is lost with a description that it took in part.
      await this.end({ how: "error", reason: "the answer cannot be used" });
      throw error;
    }
  }

  async offerRestart(): Promise<{ readonly sdp: string }> {
    this.#alive();
    if (this.#parts.tracks.isOffering)
      throw new CidcastError("CONFLICT", "another offer waits for its answer");
    const offer = await this.#parts.host.ask("offer_restart", { id: this.id });
    if (!this.#restarting) this.#restart();
    this.#restarting = true;
    return offer;
  }

  async restartIce(remote: IceCredentials): Promise<IceRestartAnswer> {
    this.#alive();
    const answer = await this.#parts.host.ask("restart_ice", { id: this.id, remote });
    this.#restart();
    return answer;
  }

  async addCandidate(candidate: CandidateInit): Promise<void> {
    this.#alive();
    this.#candidates++;
    this.#countTypes(candidate.candidate);
    await this.#parts.host.ask("candidate", { id: this.id, candidate });
  }

  async control(command: ControlCommand): Promise<PlaybackState> {
    this.#alive();
    return this.#parts.host.ask("control", { id: this.id, command });
  }

  async setQuality(quality: QualityLevel): Promise<{ readonly success: boolean; readonly reason?: string }> {
    this.#alive();
    const { quality: controller, clock } = this.#parts;
    const before = controller.level(this.id);
    const result = controller.set(this.id, quality);
    if (result.success && controller.level(this.id) !== before) this.#qualityChangedAtMs = clock.now();
    return result;
  }

  async addTrack(init: AddTrackInit): Promise<{ readonly trackId: string; readonly sdp: string }> {
    this.#alive();
    if (this.#answeredMs === undefined || this.#restarting) {
      throw new CidcastError("CONFLICT", "another offer waits for its answer");
    }
    const added = await this.#parts.tracks.add(this.#feeder, init);
    this.#alive();
    if (this.#state === "connected") this.#timeout(ANSWER_TIMEOUT_MS, "the viewer did not answer the offer");
    return added;
  }

  async setTrack(trackId: string, enabled: boolean): Promise<void> {
    this.#alive();
    await this.#parts.tracks.set(this.#feeder, trackId, enabled);
  }

  async removeTrack(trackId: string): Promise<void> {
    this.#alive();
    await this.#parts.tracks.remove(this.#feeder, trackId);
  }

  async stats(): Promise<Readonly<Record<string, unknown>>> {
    this.#alive();
    const { source, kind, quality } = this.#parts;
    const [measured, log] = await Promise.all([this.measured(), this.decisions()]);
    return connectionStats(
      {
        createdAtMs: this.#createdAtMs,
        cid: this.cid,
        kind,
        info: source.info,
        quality: quality.level(this.id),
        qualityChangedAtMs: this.#qualityChangedAtMs,
        state: this.#state,
        candidates: this.#candidates,
        candidateTypes: this.#candidateTypes,
        times: this.#times,
        answered: this.#answeredMs !== undefined,
        rung: source.ladder?.rungs(this.#videoId).find(({ name }) => name === measured.rung),
        decisions: log.map(stallEntry),
        paceLevel: Math.max(0, ...this.#parts.tracks.renditions.map(({ paceLevel }) => paceLevel ?? 0)),
      },
      measured,
    );
  }

  /** What the media thread measures. */
  measured(): Promise<SessionStats> {
    return this.#parts.host.ask("session_stats", { id: this.id });
  }

  onEvent(
    listener: (event: ControlEventMessage) => void,
    { positions = true }: { readonly positions?: boolean } = {},
  ): () => void {
    this.#listeners.add(listener);
    if (positions) this.#parts.host.send({ type: "follow", id: this.id });
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(reason = "closed by its owner"): Promise<void> {
    await this.end({ how: "local", reason });
  }

  /** Something from the media thread. */
  note(note: SessionNote): void {
    const { clock, hooks } = this.#parts;
    if (note.type === "need") {
      void this.#feeder.feed(note);
    } else if (note.type === "event") {
      for (const listener of this.#listeners) listener(note.event);
      if (note.event.type === "ended") this.#tellDamage(note.event.positionSeconds);
    } else if (note.type === "quality") {
      this.#decided(note.decision);
    } else if (note.type === "channel") {
      if (this.#state !== "closed") this.#channels.handle(note.event);
    } else if (note.type === "connected") {
      this.#cancelTimer();
      this.#state = "connected";
      const connectMs = clock.monotonicMs() - (this.#answeredMs ?? clock.monotonicMs());
      this.#times = { ...this.#times, connectMs };
      hooks.onConnected(this, connectMs);
      this.#reconnection = undefined;
      void this.#text.tell();
    } else if (note.type === "restarted") {
      this.#restarts = 0;
      if (this.#reconnection !== undefined) hooks.onRestarted(this);
      this.#reconnection = undefined;
    } else if (note.type === "seen") {
      hooks.onSeen(this, clock.monotonicMs() - this.#requestedMs);
    } else if (note.type === "captions") {
      void this.#text.choose(note.trackId);
    } else if (note.type === "started") {
      this.#times = { ...this.#times, firstPacketMs: this.#sinceRequest() };
      hooks.onStarted(this, this.#sinceRequest());
    } else if (note.type === "closed") {
      if (note.code !== undefined) hooks.onError(this, new CidcastError(note.code, note.reason));
      void this.end({ how: note.code === undefined ? "remote" : "error", reason: note.reason });
    }
  }

  async whyStalled(): Promise<StallReport> {
    this.#alive();
    const { clock, source, tracks } = this.#parts;
    const [measured, log] = await Promise.all([this.measured(), this.decisions()]);
    const { id, cid } = this;
    const trackIds = tracks.ownTrackIds;
    const facts = { id, cid, source, trackIds, connectionState: this.#state, nowMs: clock.now() };
    return whyStalled(facts, measured, log);
  }

  /** The viewer's wish for the quality is another. */
  async wish(wish: QualityWish): Promise<void> {
    // One that has ended meanwhile has no quality.
    await this.#parts.host.ask("quality", { id: this.id, wish }).catch(() => undefined);
  }

  /** What was decided on its quality, oldest first. */
  decisions(): Promise<readonly QualityDecision[]> {
    return this.#parts.host.ask("session_log", { id: this.id });
  }

  get #videoId(): string {
    const trackIds = this.#parts.tracks.ownTrackIds;
    return this.info.tracks.find(({ kind, id }) => kind === "video" && trackIds.includes(id))?.id ?? "";
  }

  /** Says why playing has ended where it has, if that is well before the end. */
  #tellDamage(positionSeconds: number): void {
    const { host, source, tracks } = this.#parts;
    const { durationSeconds } = this.info;
    if (durationSeconds - positionSeconds <= EARLY_END_SECONDS) return;
    const found = tracks.ownTrackIds.map(id => source.damage?.(id)).find(text => text !== undefined);
    const message = `The file ends after ${positionSeconds.toFixed(1)} s of ${durationSeconds.toFixed(1)} s: ${found ?? "the rest is missing"}`;
    const event = { type: "damaged", positionSeconds, message } as const;
    host.send({ type: "say", id: this.id, event, keep: false });
  }

  #decided(decision: QualityDecision): void {
    if (!CHANGES.has(decision.kind)) return;
    this.#qualityChangedAtMs = this.#parts.clock.now();
    this.#parts.hooks.onQuality(this, decision);
  }

  /** Releases everything, once, however it ends. */
  end(end: SessionEnd): Promise<void> {
    this.#closing ??= this.#release(end);
    return this.#closing;
  }

  async #release(end: SessionEnd): Promise<void> {
    this.#state = "closed";
    this.#cancelTimer();
    this.#feeder.close();
    this.#channels.end();
    this.#text.close();
    const { host, tracks, quality, hooks } = this.#parts;
    quality.forget(this.id);
    this.#reconnection?.failed(
      new CidcastError(end.how === "timeout" ? "TIMEOUT" : "PEER_UNREACHABLE", end.reason),
    );
    hooks.onClosed(this, end);
    for (const listener of this.#listeners) {
      listener({
        type: "state",
        state: "closed",
        positionSeconds: 0,
        durationSeconds: this.info.durationSeconds,
        loop: false,
      });
    }
    this.#listeners.clear();
    const closing = host
      .ask("close", { id: this.id, reason: end.reason })
      .then(totals => totals && hooks.onTotals(totals));
    const results = await Promise.allSettled([closing, tracks.close()]);
    for (const result of results) {
      const error = result.status === "rejected" ? toCidcastError(result.reason) : undefined;
      if (error !== undefined && error.code !== "SHUTTING_DOWN") hooks.onError(this, error);
    }
  }

  /** Counts the viewer's candidates in a text that holds some. */
  #countTypes(text: string): void {
    for (const [, type] of text.matchAll(/candidate:[^\r\n]* typ (host|srflx|prflx|relay)\b/g)) {
      if (type === "host" || type === "srflx" || type === "prflx" || type === "relay")
        this.#candidateTypes[type]++;
    }
  }

  #restart(): void {
    this.#restarts++;
    this.#reconnection = this.#parts.hooks.onRestart(this, this.#restarts);
  }

  #sinceRequest(): number {
    return this.#parts.clock.monotonicMs() - this.#requestedMs;
  }

  #timeout(delayMs: number, reason: string): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#parts.clock.after(delayMs, () => void this.end({ how: "timeout", reason }));
  }

  #alive(): void {
    if (this.#state === "closed") throw new CidcastError("SESSION_NOT_FOUND", `session ${this.id} is closed`);
  }
}
