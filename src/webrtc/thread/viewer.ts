import {
  type ControlEventMessage,
  parseControlCommand,
  POSITIONS_PER_SECOND,
} from "@cidcast/protocols/media-control";
import { CidcastError, toCidcastError } from "../../core/index.ts";
import type { Segment } from "../../media/index.ts";
import type { SegmentCache } from "../rtp/packetise/index.ts";
import type { EgressPeer, PeerFactory, PeerTransport } from "../peer.ts";
import { BandwidthEstimator } from "../congestion/index.ts";
import { Pacer, type PathRate } from "../player/pacer.ts";
import { Player } from "../player/player.ts";
import type { SegmentPlace } from "../player/track-queue.ts";
import { Adaptation } from "../quality/adaptation.ts";
import { StallMeter } from "../quality/stall-meter.ts";
import { SupplyMeter } from "../quality/supply-meter.ts";
import type { QualityDecision, QualityWish } from "../quality/types.ts";
import type { ControlCommand, PlaybackState } from "../types.ts";
import { obeyPlayer } from "./obey-player.ts";
import type { Egress } from "../rtp/egress/index.ts";
import { CommandBudget } from "./command-budget.ts";
import type {
  FromHost,
  HostRequests,
  HostTrack,
  OpenSession,
  SessionStats,
  SessionTotals,
} from "./messages.ts";
import { NO_FIGURES } from "./no-figures.ts";
import { qualityMessage } from "./quality-message.ts";
import { ViewerLink } from "./viewer-link.ts";

/**
 * As DTLS server we have our keys before the viewer has its own, and what comes before is lost: we wait for its first
 * encrypted packet, or one round trip, but at least this, ms (a browser's own work; measured on loopback).
 */
const MIN_START_DELAY_MS = 20;
const MAX_START_DELAY_MS = 500;
const POSITION_INTERVAL_MS = 1000 / POSITIONS_PER_SECOND;
/** Longest time between two looks at a viewer to whom nothing is to be sent, and at where it is, ms. */
const MAX_IDLE_MS = 20;

export interface ViewerInit {
  readonly open: OpenSession;
  readonly peers: PeerFactory;
  readonly egress: Egress;
  readonly cache: SegmentCache;
  readonly tell: (message: FromHost) => void;
}

/** One viewer in its media thread: connection, playing, and the packets between them. */
export class Viewer {
  readonly id: string;
  readonly #init: ViewerInit;
  readonly #peer: EgressPeer;
  readonly #player: Player;
  readonly #budget = new CommandBudget();
  readonly #tracks: HostTrack[];
  /** A track whose offer is not answered yet. */
  #coming: Omit<HostRequests["add_track"]["argument"], "id"> | undefined;
  /** What is told of the tracks at the moment. */
  #greeting: ControlEventMessage;
  readonly #estimator: BandwidthEstimator;
  readonly #pacer: Pacer;
  /** One object, filled in anew: it is asked for at every tick. */
  readonly #path: { -readonly [K in keyof PathRate]: PathRate[K] } = {
    estimateBps: undefined,
    limitBps: undefined,
    ceilingBps: undefined,
  };
  readonly #adaptation: Adaptation;
  readonly #supply = new SupplyMeter();
  readonly #stalls: StallMeter;
  /** Seeks under way: what stands still for one does not stall. */
  #seeks = 0;
  #wish: QualityWish;
  /** Size of the page's picture, as it told last. */
  #view: QualityWish["view"];
  #kept: ControlEventMessage | undefined;
  #link: ViewerLink | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #lastState: PlaybackState["state"] | undefined;
  #lastPositionMs = 0;
  #sent = false;
  #closed = false;
  /** Nothing is to be done before, unless something comes. */
  #idleUntilMs = 0;
  #nextPathMs = 0;
  #followed = false;

  constructor(init: ViewerInit) {
    this.#init = init;
    const { open, cache } = init;
    this.id = open.id;
    const most = Math.max(0, ...open.quality.rungs.map(({ bitrateBps }) => bitrateBps));
    this.#tracks = open.tracks.map(track =>
      track.kind === "video" ? { ...track, bitrateBps: Math.max(most, track.bitrateBps ?? 0) } : track,
    );
    this.#greeting = open.greeting;
    this.#peer = init.peers.create({
      tracks: open.tracks,
      handlers: {
        onTransport: transport => this.#onTransport(transport),
        onKeysProven: () => this.#start(),
        onMedia: datagram => {
          this.#idleUntilMs = 0;
          this.#start();
          this.#link?.receive(datagram);
        },
        onControlOpen: () => this.#greet(),
        onControl: text => this.#onControl(text),
        onChannel: event => init.tell({ type: "channel", id: open.id, event }),
        onRestarted: () => init.tell({ type: "restarted", id: open.id }),
        onClosed: reason => this.#fail(reason, undefined),
      },
    });
    const nowMs = performance.now();
    const { quality } = open;
    this.#estimator = new BandwidthEstimator({ startBps: quality.bandwidthBps });
    this.#pacer = new Pacer(nowMs);
    this.#stalls = new StallMeter(nowMs);
    this.#wish = quality.wish;
    this.#view = quality.wish.view;
    this.#player = new Player({
      tracks: open.tracks.map(({ kind, bitrateBps }) => ({
        kind,
        bitrateBps: kind === "video" ? (quality.rungs[quality.first]?.bitrateBps ?? bitrateBps) : bitrateBps,
      })),
      durationSeconds: open.durationSeconds,
      startSeconds: open.startSeconds,
      nowMs,
      pacer: this.#pacer,
      rung: quality.rungs.length > 1 ? quality.rungs[quality.first]?.name : undefined,
      onRung: rung => this.#adaptation.shown(rung),
      onRungFailed: rung => this.#adaptation.failed(rung, performance.now()),
      path: now => this.#pathRate(now),
      request: (track, ticket, place) => this.#need(track, ticket, place),
      acquire: (track, segment) => cache.acquire(segment, this.#codec(track)),
      release: segment => cache.release(segment),
      send: (track, payload, streamSeconds, marker) => this.#send(track, payload, streamSeconds, marker),
      pictureTime: streamSeconds => this.#link?.pictureTime(streamSeconds),
      onLeadIn: over => this.#reply({ type: "lead_in", pictureTime: over && this.#link?.pictureTime(over) }),
      onChange: () => this.#onChange(),
    });
    this.#adaptation = new Adaptation({
      rungs: quality.rungs,
      first: quality.first,
      wish: quality.wish,
      otherBps: open.tracks.reduce(
        (sum, { kind, bitrateBps = 0 }) => sum + (kind === "audio" ? bitrateBps : 0),
        0,
      ),
      pictures: this.#player.pictures,
      bufferedSeconds: now => this.#player.bufferedSeconds(now),
      supply: this.#supply,
      nowMs,
      wallMs: Date.now(),
      onDecision: decision => this.#onDecision(decision),
    });
  }

  /** Our offer, or the answer to the viewer's. */
  async describe(): Promise<string> {
    const { offerSdp } = this.#init.open;
    return offerSdp === undefined ? this.#peer.createOffer() : this.#peer.createAnswer(offerSdp);
  }

  /** The offer for one more track, which is sent once that is answered. */
  async addTrack(added: Omit<HostRequests["add_track"]["argument"], "id">): Promise<string> {
    const sdp = await this.#peer.addTrack(added.track);
    this.#coming = added;
    return sdp;
  }

  async answer(sdp: string): Promise<void> {
    await this.#peer.setAnswer(sdp);
    const coming = this.#coming;
    if (coming === undefined || this.#closed) return;
    this.#coming = undefined;
    const index = this.#tracks.push(coming.track) - 1;
    const now = performance.now();
    this.#link?.addTrack(coming.track);
    this.#player.addTrack(coming.track, coming.durationSeconds, now);
    if (this.#link?.takes(index) === false) this.#player.setEnabled(index, false, now);
    this.#tellTracks(coming.greeting);
  }

  changeTrack({ track, change, greeting }: Omit<HostRequests["change_track"]["argument"], "id">): void {
    const now = performance.now();
    if (change === "renewed") this.#player.renew(track, now);
    else this.#player.setEnabled(track, change === "on" && this.#link?.takes(track) !== false, now);
    if (change === "ended") this.#peer.endTrack(track);
    this.#tellTracks(greeting);
  }

  /** What the session has come to. */
  totals(nowMs: number): SessionTotals {
    const { played: playedSeconds, stalled: stalledSeconds } = this.#stalls.seconds(nowMs);
    const { cause, estimateBps } = this.#estimator;
    return {
      framesSent: this.#player.counts.frames,
      playedSeconds,
      stalledSeconds,
      estimateBps: cause === "start" ? undefined : estimateBps,
      rungSeconds: Object.fromEntries(this.#adaptation.rungSeconds),
    };
  }

  get peer(): EgressPeer {
    return this.#peer;
  }

  deliver(track: number, ticket: number, segment: Segment | undefined, rung?: string): void {
    if (this.#closed) return;
    this.#idleUntilMs = 0;
    const now = performance.now();
    try {
      const seconds = segment === undefined ? 0 : segment.endSeconds - segment.startSeconds;
      const tookMs = this.#isAdapted(track) ? this.#supply.onCame(ticket, seconds, now) : 0;
      const tooSlow =
        this.#player.pictures.isSwitchingBy(track, ticket) && !this.#adaptation.accepts(tookMs, seconds);
      if (tooSlow) this.#player.pictures.refuseRung();
      else this.#player.deliver(track, ticket, segment, rung);
      this.tick(performance.now());
    } catch (error) {
      this.failMedia(
        error instanceof CidcastError ? error : new CidcastError("INTERNAL", "a segment cannot be sent"),
      );
    }
  }

  /** The sound of this rate cannot be had. */
  silence(track: number, ticket: number): void {
    if (!this.#closed) this.#player.silence(track, ticket);
  }

  /** A segment cannot be had: that of another rung is no loss, any other ends the session. */
  failSegment(
    track: number,
    ticket: number,
    error: { readonly code: CidcastError["code"]; readonly message: string },
  ): void {
    if (this.#closed) return;
    if (this.#player.pictures.isSwitchingBy(track, ticket)) this.#player.pictures.refuseRung();
    else this.failMedia(error);
  }

  /** Another wish for the quality. */
  setQuality(wish: QualityWish): void {
    this.#wish = wish;
    this.#adaptation.wish = { ...wish, view: this.#view };
  }

  /** What was decided, oldest first. */
  get decisions(): readonly QualityDecision[] {
    return this.#adaptation.log.list();
  }

  /** Our own loop was late by so much. */
  late(lagMs: number, nowMs: number): void {
    this.#adaptation.late(lagMs, nowMs);
  }

  /** Sends on a channel for messages; without a text it is closed. */
  channel(channel: number, text: string | undefined): void {
    if (text === undefined) this.#peer.closeChannel(channel);
    else this.#peer.sendMessage(channel, text);
  }

  /** The media cannot be had any more. */
  failMedia(error: { readonly code: CidcastError["code"]; readonly message: string }): void {
    this.#event({ type: "error", code: error.code, message: error.message });
    this.#fail(error.message, error.code);
  }

  async control(command: ControlCommand): Promise<PlaybackState> {
    this.#idleUntilMs = 0;
    const now = performance.now();
    if (command.type === "set_view") {
      this.#view = { width: command.width, height: command.height };
      this.setQuality(this.#wish);
    } else if (command.type === "captions") {
      this.#init.tell({ type: "captions", id: this.id, trackId: command.trackId });
    } else if (command.type === "seek") {
      this.#seeks++;
      await obeyPlayer(this.#player, command, now).finally(() => this.#seeks--);
    } else await obeyPlayer(this.#player, command, now);
    return this.#player.playback(performance.now());
  }

  /** The main thread wants to hear of the position as well. */
  follow(): void {
    this.#followed = true;
  }

  /** Tells the viewer something that the main thread knows. */
  say(event: ControlEventMessage, keep: boolean): void {
    if (keep) this.#kept = event;
    this.#reply(event);
  }

  /** Sends what is due; called every few milliseconds. */
  tick(nowMs: number): void {
    if (this.#closed || nowMs < this.#idleUntilMs) return;
    const link = this.#link;
    if (link !== undefined) {
      if (nowMs >= this.#nextPathMs || !link.maySend) {
        link.setPath(this.#peer.path());
        this.#nextPathMs = nowMs + MAX_IDLE_MS;
      }
      if (!link.maySend) return;
      link.report(nowMs);
      link.drain(nowMs);
    }
    this.#player.tick(nowMs);
    this.#adaptation.tick(nowMs);
    if (this.#lastState === "playing" && nowMs - this.#lastPositionMs >= POSITION_INTERVAL_MS) {
      this.#lastPositionMs = nowMs;
      const { positionSeconds } = this.#player.playback(nowMs);
      if (this.#followed) this.#event({ type: "position", positionSeconds });
      else this.#reply({ type: "position", positionSeconds });
    }
    const busy = link === undefined || link.isResending || this.#adaptation.cluster !== 0;
    this.#idleUntilMs = busy ? 0 : Math.min(nowMs + MAX_IDLE_MS, this.#player.idleUntilMs(nowMs));
  }

  stats(nowMs: number): SessionStats {
    const counts = this.#player.counts;
    return {
      playback: this.#player.playback(nowMs),
      iceState: this.#peer.iceState,
      connected: this.#link !== undefined,
      framesSent: counts.frames,
      picturesSent: counts.pictures,
      keyframesSent: counts.keyframes,
      framesLate: counts.late,
      framesSkipped: counts.skipped,
      bufferedSeconds: this.#player.bufferedSeconds(nowMs),
      rung: this.#player.pictures.rung,
      rungChanges: this.#adaptation.changes,
      picturesPaused: this.#adaptation.picturesPaused,
      supplyFactor: this.#supply.factor,
      stalledSeconds: this.#stalls.seconds(nowMs).stalled,
      playedSeconds: this.#stalls.seconds(nowMs).played,
      ...(this.#link?.figures() ?? NO_FIGURES),
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#startTimer);
    this.#player.close();
    // Our own sending ends before the connection's socket can go.
    this.#link?.close();
    await this.#peer.close();
  }

  #codec(track: number): OpenSession["tracks"][number]["codec"] {
    const found = this.#tracks[track];
    if (found === undefined) throw new CidcastError("TRACK_NOT_FOUND", `there is no track ${track}`);
    return found.codec;
  }

  #onTransport(transport: PeerTransport): void {
    if (this.#closed) return;
    this.#link = new ViewerLink({
      egress: this.#init.egress,
      peer: this.#peer,
      transport,
      tracks: this.#tracks,
      streamSeconds: nowMs => this.#player.streamSeconds(nowMs),
      onKeyframeRequest: () => this.#player.requestKeyframe(performance.now()),
      estimator: this.#estimator,
      pacer: this.#pacer,
      cluster: () => this.#adaptation.cluster,
      picturesPaused: () => this.#adaptation.picturesPaused,
      onSent: bytes => this.#adaptation.onSent(bytes),
      onSeen: () => this.#init.tell({ type: "seen", id: this.id }),
    });
    this.#init.tell({ type: "connected", id: this.id });
    if (transport.dtlsRole === "client") {
      this.#start();
      return;
    }
    const delay = Math.min(MAX_START_DELAY_MS, Math.max(MIN_START_DELAY_MS, transport.roundTripMs ?? 0));
    this.#startTimer = setTimeout(() => this.#start(), delay);
  }

  #start(): void {
    const link = this.#link;
    if (this.#closed || link === undefined || link.started) return;
    clearTimeout(this.#startTimer);
    link.started = true;
    const now = performance.now();
    link.report(now);
    const hinted = this.#init.open.quality.bandwidthBps !== undefined;
    this.#adaptation.connect(link, now, hinted ? "hint" : "estimate");
    this.#player.start(now);
    this.#init.egress.flush();
  }

  #send(track: number, payload: Buffer, streamSeconds: number, marker: boolean): void {
    this.#link?.send(track, payload, streamSeconds, marker);
    if (this.#sent) return;
    this.#sent = true;
    this.#init.tell({ type: "started", id: this.id });
  }

  #pathRate(nowMs: number): PathRate {
    const { cause, estimateBps } = this.#estimator;
    this.#path.estimateBps = cause === "start" ? undefined : estimateBps;
    this.#path.limitBps = this.#estimator.limitBps(nowMs);
    this.#path.ceilingBps = this.#estimator.ceilingBps(nowMs);
    return this.#path;
  }

  #need(track: number, ticket: number, place: SegmentPlace): void {
    if (this.#isAdapted(track)) this.#supply.onAsked(ticket, performance.now());
    this.#init.tell({ type: "need", id: this.id, track, ticket, place });
  }

  /** True for the pictures that are adapted: the first of the offer. */
  #isAdapted(track: number): boolean {
    return track === this.#tracks.findIndex(({ kind }) => kind === "video");
  }

  #onDecision(decision: QualityDecision): void {
    this.#init.tell({ type: "quality", id: this.id, decision });
    const { rungs } = this.#init.open.quality;
    const message = qualityMessage(decision, rungs, this.#adaptation.picturesPaused);
    if (message !== undefined) this.#peer.sendControl(JSON.stringify(message));
  }

  #onChange(): void {
    const nowMs = performance.now();
    const playback = this.#player.playback(nowMs);
    const { stalled } = this.#stalls;
    this.#stalls.state(playback.state, nowMs);
    if (this.#stalls.stalled && !stalled && this.#seeks === 0)
      this.#adaptation.note("buffering", "supply", nowMs);
    if (stalled && playback.state === "playing") this.#adaptation.note("playing", "supply", nowMs);
    this.#event({ type: "state", ...playback });
    if (playback.state === "ended" && this.#lastState !== "ended") {
      this.#event({ type: "ended", positionSeconds: playback.positionSeconds });
    }
    this.#lastState = playback.state;
  }

  #greet(): void {
    this.#peer.sendControl(JSON.stringify(this.#greeting));
    this.#peer.sendControl(JSON.stringify({ type: "state", ...this.#player.playback(performance.now()) }));
    if (this.#kept !== undefined) this.#peer.sendControl(JSON.stringify(this.#kept));
  }

  #tellTracks(greeting: ControlEventMessage): void {
    this.#greeting = greeting;
    this.#event(greeting);
  }

  #onControl(text: string | undefined): void {
    if (!this.#budget.take(performance.now())) {
      this.#reply({ type: "error", code: "LIMIT_REACHED", message: "too many control messages" });
      return;
    }
    if (text === undefined) {
      this.#reply({ type: "error", code: "INVALID_REQUEST", message: "a control message is text" });
      return;
    }
    const command = parseControlCommand(text);
    if (command.type === "error") {
      this.#reply(command);
      return;
    }
    const id = command.id === undefined ? {} : { id: command.id };
    this.control(command).then(
      playback => this.#reply({ type: "state", ...playback, ...id }),
      (error: unknown) => {
        const { code, message } = toCidcastError(error);
        this.#reply({ type: "error", code, message, ...id });
      },
    );
  }

  #reply(event: ControlEventMessage): void {
    if (!this.#closed) this.#peer.sendControl(JSON.stringify(event));
  }

  #event(event: ControlEventMessage): void {
    if (this.#closed) return;
    this.#peer.sendControl(JSON.stringify(event));
    this.#init.tell({ type: "event", id: this.id, event });
  }

  #fail(reason: string, code: CidcastError["code"] | undefined): void {
    if (this.#closed) return;
    this.#init.tell({ type: "closed", id: this.id, reason, code });
  }
}
