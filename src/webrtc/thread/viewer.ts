import {
  type ControlEventMessage,
  parseControlCommand,
  POSITIONS_PER_SECOND,
} from "@cidcast/protocols/media-control";
import { CidcastError, toCidcastError } from "../../core/index.ts";
import type { Segment } from "../../media/index.ts";
import type { SegmentCache } from "../rtp/packetise/index.ts";
import type { EgressPeer, PeerFactory, PeerTransport } from "../peer.ts";
import { Player } from "../player/player.ts";
import type { ControlCommand, PlaybackState } from "../types.ts";
import type { Egress } from "../rtp/egress/index.ts";
import { CommandBudget } from "./command-budget.ts";
import type { FromHost, HostRequests, HostTrack, OpenSession, SessionStats } from "./messages.ts";
import { ViewerLink } from "./viewer-link.ts";

/**
 * As DTLS server we have our keys before the viewer has its own, and what comes before is lost: we wait for its first
 * encrypted packet, or one round trip, but at least this, ms (a browser's own work; measured on loopback).
 */
const MIN_START_DELAY_MS = 20;
const MAX_START_DELAY_MS = 500;
const POSITION_INTERVAL_MS = 1000 / POSITIONS_PER_SECOND;

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
  #link: ViewerLink | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #lastState: PlaybackState["state"] | undefined;
  #lastPositionMs = 0;
  #sent = false;
  #closed = false;

  constructor(init: ViewerInit) {
    this.#init = init;
    const { open, cache } = init;
    this.id = open.id;
    this.#tracks = [...open.tracks];
    this.#greeting = open.greeting;
    this.#peer = init.peers.create({
      tracks: open.tracks,
      handlers: {
        onTransport: transport => this.#onTransport(transport),
        onKeysProven: () => this.#start(),
        onMedia: datagram => {
          this.#start();
          this.#link?.receive(datagram);
        },
        onControlOpen: () => this.#greet(),
        onControl: text => this.#onControl(text),
        onClosed: reason => this.#fail(reason, undefined),
      },
    });
    this.#player = new Player({
      tracks: open.tracks,
      durationSeconds: open.durationSeconds,
      startSeconds: open.startSeconds,
      nowMs: performance.now(),
      request: (track, ticket, place) => init.tell({ type: "need", id: open.id, track, ticket, place }),
      acquire: (track, segment) => cache.acquire(segment, this.#codec(track)),
      release: segment => cache.release(segment),
      send: (track, payload, streamSeconds, marker) => this.#send(track, payload, streamSeconds, marker),
      onChange: () => this.#onChange(),
      limitBps: nowMs => this.#link?.limitBps(nowMs),
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

  get framesSent(): number {
    return this.#player.counts.frames;
  }

  get peer(): EgressPeer {
    return this.#peer;
  }

  deliver(track: number, ticket: number, segment: Segment | undefined): void {
    if (this.#closed) return;
    try {
      this.#player.deliver(track, ticket, segment);
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

  /** The media cannot be had any more. */
  failMedia(error: { readonly code: CidcastError["code"]; readonly message: string }): void {
    this.#event({ type: "error", code: error.code, message: error.message });
    this.#fail(error.message, error.code);
  }

  async control(command: ControlCommand): Promise<PlaybackState> {
    const now = performance.now();
    switch (command.type) {
      case "pause":
        this.#player.pause(now);
        break;
      case "resume":
        this.#player.resume(now);
        break;
      case "seek":
        await this.#player.seek(command.positionSeconds, now, command.exact);
        break;
      case "set_loop":
        this.#player.setLoop(command.loop, command.range);
        break;
      case "set_rate":
        this.#player.setRate(command.rate, now);
        break;
      case "step":
        await this.#player.step(command.frames, now);
        break;
      case "get_state":
        break;
      default:
        throw new CidcastError("INVALID_REQUEST", "unknown control command");
    }
    return this.#player.playback(performance.now());
  }

  /** Sends what is due; called every few milliseconds. */
  tick(nowMs: number): void {
    if (this.#closed) return;
    const link = this.#link;
    if (link !== undefined) {
      link.setPath(this.#peer.path());
      if (!link.maySend) return;
      link.report(nowMs);
    }
    this.#player.tick(nowMs);
    if (this.#lastState === "playing" && nowMs - this.#lastPositionMs >= POSITION_INTERVAL_MS) {
      this.#lastPositionMs = nowMs;
      this.#event({ type: "position", positionSeconds: this.#player.playback(nowMs).positionSeconds });
    }
  }

  stats(nowMs: number): SessionStats {
    const counts = this.#player.counts;
    return {
      playback: this.#player.playback(nowMs),
      iceState: this.#peer.iceState,
      connected: this.#link !== undefined,
      framesSent: counts.frames,
      framesLate: counts.late,
      framesSkipped: counts.skipped,
      bufferedSeconds: this.#player.bufferedSeconds(nowMs),
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
    this.#player.start(now);
    this.#init.egress.flush();
  }

  #send(track: number, payload: Buffer, streamSeconds: number, marker: boolean): void {
    this.#link?.send(track, payload, streamSeconds, marker);
    if (this.#sent) return;
    this.#sent = true;
    this.#init.tell({ type: "started", id: this.id });
  }

  #onChange(): void {
    const playback = this.#player.playback(performance.now());
    this.#event({ type: "state", ...playback });
    if (playback.state === "ended" && this.#lastState !== "ended") {
      this.#event({ type: "ended", positionSeconds: playback.positionSeconds });
    }
    this.#lastState = playback.state;
  }

  #greet(): void {
    this.#peer.sendControl(JSON.stringify(this.#greeting));
    this.#peer.sendControl(JSON.stringify({ type: "state", ...this.#player.playback(performance.now()) }));
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

const NO_FIGURES = {
  bytesSent: 0,
  packetsSent: 0,
  retransmitted: 0,
  nacks: 0,
  keyframeRequests: 0,
  roundTripMs: undefined,
  jitterMs: undefined,
  packetLoss: 0,
  receivedBps: undefined,
  estimateBps: undefined,
  estimateCause: "start",
  queueMs: 0,
  limitBps: undefined,
  streams: 0,
} as const;
