import { randomUUID } from "node:crypto";
import {
  type AbortOptions,
  CidcastError,
  type Clock,
  type EventPublisher,
  type Logger,
  type Metrics,
  isCidcastError,
  messageOf,
  systemClock,
  toCidcastError,
} from "../../core/index.ts";
import type { Captions, Media, MediaSource } from "../../media/index.ts";
import type { EgressKind } from "../rtp/egress/index.ts";
import type { HostClient } from "../thread/host-client.ts";
import type { StallReport } from "../quality/stall-report.ts";
import type { HostStats, SessionStats } from "../thread/messages.ts";
import type {
  ChannelDoor,
  IceServer,
  QualityController,
  SessionInit,
  StreamingSession,
  WebRTCEvents,
  WebRTCStreamingManager,
} from "../types.ts";
import { admit } from "./admit.ts";
import { type ChosenTrack, chooseTracks } from "./choose-tracks.ts";
import { HostPool } from "./host-pool.ts";
import { globalMetrics } from "./global-metrics.ts";
import { JoinQueue } from "./join-queue.ts";
import { parseStunServer, viewerIceServers } from "./ice-servers.ts";
import { DEFAULT_TURN_TTL_SECONDS, MAX_SDP_LENGTH, MAX_SESSIONS_PER_OWNER, MAX_TRACKS } from "./limits.ts";
import { type WebRTCMetrics, webrtcMetrics } from "./metrics.ts";
import type { AdaptiveBitrateController } from "./adaptive-bitrate-controller.ts";
import { createFixedQuality } from "./quality.ts";
import { adaptiveOf, oneQuality, openMessage } from "./opening.ts";
import { changeOf } from "./quality-change.ts";
import { SessionTracks } from "./session-tracks.ts";
import { type Reconnection, Reconnections } from "./reconnections.ts";
import { Session, type SessionEnd, type SessionHooks } from "./session.ts";
import { observeTotals } from "./totals.ts";

export interface WebRTCStreamingManagerInit {
  /** Address the UDP socket is bound to. */
  readonly host: string;
  /** 0: any free one. */
  readonly udpPort: number;
  /** Take any free port when that one is in use. */
  readonly udpPortFallback?: boolean;
  /** ICE over TCP too, on the same port number. Default true. */
  readonly tcp?: boolean;
  readonly announcedAddresses?: readonly string[];
  /** STUN servers as `stun:host:port`; nothing is asked of the outside without one. */
  readonly iceServers?: readonly string[];
  /** Secret shared with the TURN servers among them. */
  readonly turnSecret?: string | undefined;
  /** How long credentials for them are good, seconds. */
  readonly turnTtlSeconds?: number;
  readonly maxSessions?: number;
  readonly maxSessionsPerOwner?: number;
  /** Sessions of one network address; 0, the default: any number. */
  readonly maxSessionsPerAddress?: number;
  /** Viewers that may join per second and media thread, others wait; 0: any number. */
  readonly joinsPerSecond?: number;
  /** Media threads, each with a UDP port of its own from `udpPort` on; 0: the calling thread sends. */
  readonly workers?: number;
  readonly egress?: "auto" | "js" | "batched";
  /** A connection to ourselves at the start, so that the first viewer meets warm code. Default true. */
  readonly warmUp?: boolean;
}

export interface WebRTCComponents {
  readonly media: Pick<Media, "open">;
  readonly events: EventPublisher<WebRTCEvents>;
  /** Undefined: viewers are told of no captions. */
  readonly captions?: Pick<Captions, "list" | "cues"> | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  /** Default: one quality. */
  readonly quality?: QualityController;
  /** Default: viewers open no channels but that of media control. */
  readonly channels?: ChannelDoor | undefined;
}

/** The manager as its owner has it. */
export interface RunningWebRTC extends WebRTCStreamingManager, AsyncDisposable {
  /** Where media leaves, one per thread. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** How packets leave at the moment. */
  readonly egress: EgressKind;
  hostStats(): Promise<HostStats>;
  /** From now on so many viewers at a time; those that are there stay. */
  setMaxSessions(maxSessions: number): void;
  /** Closes all sessions and the media thread. Idempotent. */
  stop(): Promise<void>;
}

const DEFAULT_MAX_SESSIONS = 500;
const DEFAULT_JOINS_PER_SECOND = 40;

/** Starts the media thread. Throws `ADDRESS_IN_USE`, or `FEATURE_DISABLED` when WebRTC cannot run here. */
export function createWebRTCStreamingManager(init: WebRTCStreamingManagerInit) {
  return async (components: WebRTCComponents): Promise<RunningWebRTC> => {
    const manager = new Manager(init, components);
    await manager.start();
    return manager;
  };
}

class Manager implements RunningWebRTC {
  #limits: WebRTCStreamingManager["limits"];
  readonly #init: WebRTCStreamingManagerInit;
  readonly #components: WebRTCComponents;
  readonly #clock: Clock;
  readonly #quality: QualityController;
  readonly #metrics: WebRTCMetrics;
  readonly #sessions = new Map<string, Session>();
  /** Sessions being opened: they count against the limits already. */
  readonly #opening = new Map<string, SessionInit>();
  readonly #joins: JoinQueue;
  readonly #reconnections: Reconnections;
  readonly #startedMs: number;
  #total = 0;
  #framesOfEnded = 0;
  #pool: HostPool | undefined;
  #stopped = false;

  constructor(init: WebRTCStreamingManagerInit, components: WebRTCComponents) {
    this.#init = init;
    this.#components = components;
    this.#clock = components.clock ?? systemClock;
    this.#quality = components.quality ?? createFixedQuality();
    this.#startedMs = this.#clock.monotonicMs();
    this.#metrics = webrtcMetrics(components.metrics, {
      sessions: () => this.#sessions.size,
      batched: () => this.#pool?.batched ?? 0,
      waiting: () => this.#joins.waiting,
      // Threads that are stopping answer no more.
      traffic: async () => this.#pool?.stats().catch(() => undefined),
    });
    this.#joins = new JoinQueue({
      perSecond: (init.joinsPerSecond ?? DEFAULT_JOINS_PER_SECOND) * Math.max(1, init.workers ?? 1),
      clock: this.#clock,
    });
    this.#reconnections = new Reconnections(components.events);
    this.#limits = {
      maxSessions: init.maxSessions ?? DEFAULT_MAX_SESSIONS,
      maxSessionsPerOwner: init.maxSessionsPerOwner ?? MAX_SESSIONS_PER_OWNER,
      maxSessionsPerAddress: init.maxSessionsPerAddress ?? 0,
    };
  }

  get limits(): WebRTCStreamingManager["limits"] {
    return this.#limits;
  }

  setMaxSessions(maxSessions: number): void {
    this.#limits = { ...this.#limits, maxSessions };
  }

  async start(): Promise<void> {
    const { log } = this.#components;
    try {
      this.#pool = await HostPool.start({
        port: this.#init.udpPort,
        workers: this.#init.workers ?? 1,
        host: {
          host: this.#init.host,
          portFallback: this.#init.udpPortFallback ?? false,
          tcp: this.#init.tcp ?? true,
          announcedAddresses: this.#init.announcedAddresses ?? [],
          stunServer: parseStunServer(this.#init.iceServers ?? []),
          egress: this.#init.egress ?? "auto",
          warmUp: this.#init.warmUp ?? true,
        },
        log,
        clock: this.#clock,
        onNote: note => this.#sessions.get(note.id)?.note(note),
        onLost: (host, error) => void this.#lost(host, error),
      });
    } catch (error) {
      const known = toCidcastError(error);
      if (known.code !== "INTERNAL" && known.code !== "TIMEOUT") throw known;
      throw new CidcastError("FEATURE_DISABLED", `WebRTC cannot start: ${messageOf(error)}`, {
        cause: error,
      });
    }
    for (const { address, egress } of this.#pool.hosts) log.info({ ...address, egress }, "media port open");
  }

  get addresses(): readonly { readonly host: string; readonly port: number }[] {
    return this.#running().hosts.map(host => host.address);
  }

  get egress(): EgressKind {
    return this.#running().egress;
  }

  async createOffer(
    init: SessionInit,
  ): Promise<{ readonly session: StreamingSession; readonly sdp: string }> {
    const opened = await this.#open(init, undefined);
    opened.session.offered();
    return opened;
  }

  async createAnswer(
    init: SessionInit & { readonly offerSdp: string },
  ): Promise<{ readonly session: StreamingSession; readonly sdp: string }> {
    if (init.offerSdp.length > MAX_SDP_LENGTH) {
      throw new CidcastError("INVALID_SDP", `a session description has at most ${MAX_SDP_LENGTH} characters`);
    }
    const opened = await this.#open(init, init.offerSdp);
    opened.session.described(init.offerSdp);
    return opened;
  }

  session(id: string, owner?: string): StreamingSession | undefined {
    const session = this.#sessions.get(id);
    return owner === undefined || session?.owner === owner ? session : undefined;
  }

  sessions(): readonly StreamingSession[] {
    return [...this.#sessions.values()];
  }

  async whyStalled(id: string, owner?: string): Promise<StallReport> {
    const session = this.session(id, owner);
    if (session === undefined) throw new CidcastError("SESSION_NOT_FOUND", `there is no session ${id}`);
    return session.whyStalled();
  }

  iceServers(viewer: string): readonly IceServer[] {
    const { iceServers = [], turnSecret, turnTtlSeconds = DEFAULT_TURN_TTL_SECONDS } = this.#init;
    return viewerIceServers({
      urls: iceServers,
      turnSecret,
      ttlSeconds: turnTtlSeconds,
      viewer,
      nowMs: this.#clock.now(),
    });
  }

  async globalMetrics(): Promise<Readonly<Record<string, unknown>>> {
    const settled = await Promise.allSettled([...this.#sessions.values()].map(session => session.measured()));
    const measured: SessionStats[] = settled.flatMap(result =>
      result.status === "fulfilled" ? [result.value] : [],
    );
    return globalMetrics({
      measured,
      totalConnections: this.#total,
      framesOfEnded: this.#framesOfEnded,
      uptimeSeconds: (this.#clock.monotonicMs() - this.#startedMs) / 1000,
      nowMs: this.#clock.now(),
    });
  }

  hostStats(): Promise<HostStats> {
    return this.#running().stats();
  }

  async closeOwner(owner: string, reason: string): Promise<void> {
    const owned = [...this.#sessions.values()].filter(session => session.owner === owner);
    await Promise.all(owned.map(session => session.end({ how: "remote", reason })));
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#joins.close();
    await Promise.all([...this.#sessions.values()].map(session => session.close("the node stops")));
    await this.#pool?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #running(): HostPool {
    if (this.#pool === undefined || this.#stopped)
      throw new CidcastError("SHUTTING_DOWN", "WebRTC is stopping");
    return this.#pool;
  }

  async #open(init: SessionInit, offerSdp: string | undefined): Promise<{ session: Session; sdp: string }> {
    this.#running();
    init.signal?.throwIfAborted();
    const again = this.#reconnections.replacing(init, this.#sessions);
    try {
      return await this.#openOnce(init, offerSdp, again);
    } catch (error) {
      again?.failed(error);
      throw error;
    }
  }

  async #openOnce(
    init: SessionInit,
    offerSdp: string | undefined,
    again: Reconnection | undefined,
  ): Promise<{ session: Session; sdp: string }> {
    this.#admit(init);
    const id = `pc_${randomUUID()}`;
    this.#opening.set(id, init);
    try {
      await this.#turn(init);
      const opened = await this.#openAdmitted(id, init, offerSdp);
      if (again !== undefined) opened.session.follow(again);
      this.#opened(opened.session);
      return opened;
    } catch (error) {
      const { code, message } = toCidcastError(error);
      const { tenantId } = init.principal;
      const about = { pc_id: undefined, cid: init.cid };
      this.#components.events.publish("webrtc_error", { ...about, code, message }, { tenantId });
      throw error;
    } finally {
      this.#opening.delete(id);
    }
  }

  async #openAdmitted(
    id: string,
    init: SessionInit,
    offerSdp: string | undefined,
  ): Promise<{ session: Session; sdp: string }> {
    const open = (cid: string, options: AbortOptions): Promise<MediaSource> =>
      this.#components.media.open(cid, options);
    const sources: MediaSource[] = [];
    let session: Session | undefined;
    try {
      const tracks: ChosenTrack[] = [];
      let adaptive: AdaptiveBitrateController | undefined;
      for (const cid of [init.cid, ...(init.also ?? [])]) {
        const opened = await open(cid, { signal: init.signal });
        // Before anything is read of it: the first rung is what is read.
        if (sources.length === 0) adaptive = adaptiveOf(opened, init, wish => void session?.wish(wish));
        sources.push(opened);
        tracks.push(...(await chooseTracks(opened, init)));
      }
      const [source] = sources;
      if (source === undefined || tracks.length > MAX_TRACKS) {
        throw new CidcastError("LIMIT_REACHED", `a session carries at most ${MAX_TRACKS} tracks`);
      }
      const host = this.#running().take();
      const carried = new SessionTracks({ id, main: source, chosen: tracks, open, host });
      session = new Session({
        id,
        cid: source.cid,
        owner: init.owner,
        address: init.address,
        principal: init.principal,
        kind: tracks.some(track => track.info.kind === "video") ? "video" : "audio",
        source,
        tracks: carried,
        captions: this.#components.captions,
        log: this.#components.log,
        host,
        clock: this.#clock,
        quality: adaptive ?? this.#quality,
        hooks: this.#hooks,
        channels: this.#components.channels,
      });
      this.#sessions.set(id, session);
      const quality = adaptive?.session() ?? oneQuality(tracks, init);
      const { sdp } = await host.ask("open", openMessage(id, carried, { ...init, offerSdp }, quality));
      init.signal?.throwIfAborted();
      return { session, sdp };
    } catch (error) {
      this.#sessions.delete(id);
      await (session === undefined
        ? Promise.allSettled(sources.map(source => source.close()))
        : session.end({ how: "error", reason: messageOf(error) }));
      throw error;
    }
  }

  #opened(session: Session): void {
    this.#total++;
    this.#metrics.sessions.add();
    this.#announced.add(session.id);
    this.#components.events.publish("webrtc_connection_created", aboutOf(session), session);
    this.#components.events.publish("webrtc_offer", aboutOf(session), session);
  }

  async #turn({ signal }: SessionInit): Promise<void> {
    try {
      await this.#joins.enter({ signal });
    } catch (error) {
      if (isCidcastError(error, "BUSY")) this.#metrics.refused.add(1, { limit: "joins" });
      throw error;
    }
    this.#running();
  }

  #admit(init: SessionInit): void {
    const opening = [...this.#opening].filter(([id]) => !this.#sessions.has(id)).map(([, place]) => place);
    admit(init, {
      taken: [...this.#sessions.values(), ...opening],
      limits: this.limits,
      onRefused: limit => this.#metrics.refused.add(1, { limit }),
    });
  }

  readonly #announced = new Set<string>();
  readonly #streaming = new Set<string>();

  readonly #hooks: SessionHooks = {
    onConnected: (session, sinceAnswerMs) => {
      this.#metrics.connect.observe(sinceAnswerMs / 1000);
      const about = { ...aboutOf(session), replaces: session.replaces };
      this.#components.events.publish("webrtc_connection_established", about, session);
      this.#components.events.publish("webrtc_connected", about, session);
    },
    onRestart: (session, attempt) => this.#reconnections.restarting(session, attempt),
    onRestarted: session => {
      const about = { ...aboutOf(session), restarted: true };
      this.#components.events.publish("webrtc_connected", about, session);
    },
    onStarted: (session, sinceRequestMs) => {
      this.#metrics.firstPacket.observe(sinceRequestMs / 1000);
      this.#streaming.add(session.id);
      this.#components.events.publish("webrtc_stream_started", aboutOf(session), session);
    },
    onSeen: (_session, sinceRequestMs) => this.#metrics.firstPicture.observe(sinceRequestMs / 1000),
    onTotals: totals => {
      this.#framesOfEnded += totals.framesSent;
      observeTotals(this.#metrics, totals);
    },
    onQuality: (session, decision) => {
      this.#metrics.rungChanges.add(1, { change: decision.kind, reason: decision.reason });
      this.#components.events.publish(
        "webrtc_quality_changed",
        changeOf(aboutOf(session), decision),
        session,
      );
    },
    onError: (session, { code, message }) => {
      this.#components.events.publish("webrtc_error", { ...aboutOf(session), code, message }, session);
    },
    onClosed: (session, end) => this.#closed(session, end),
  };

  #closed(session: Session, end: SessionEnd): void {
    this.#sessions.delete(session.id);
    this.#reconnections.ended(session);
    this.#pool?.release(session.host);
    if (!this.#announced.delete(session.id)) return;
    this.#metrics.ended.add(1, { how: end.how });
    this.#components.log.debug({ ...aboutOf(session), ...end }, "session closed");
    if (this.#streaming.delete(session.id))
      this.#components.events.publish("webrtc_stream_ended", aboutOf(session), session);
    this.#components.events.publish(
      "webrtc_connection_closed",
      { ...aboutOf(session), reason: end.reason },
      session,
    );
  }

  async #lost(host: HostClient, cause: Error): Promise<void> {
    const left = this.#pool?.hosts.length ?? 0;
    this.#components.log.error({ err: cause, left }, "media thread lost: its sessions end");
    this.#components.events.publish("webrtc_error", {
      pc_id: undefined,
      cid: undefined,
      code: "FEATURE_DISABLED",
      message: cause.message,
    });
    const reason = cause.message;
    const ends = [...this.#sessions.values()]
      .filter(session => session.host === host)
      .map(session => session.end({ how: "error", reason }));
    await Promise.all(ends);
  }
}

/** What every event of a session tells. */
function aboutOf({ id, cid }: Session): { readonly pc_id: string; readonly cid: string } {
  return { pc_id: id, cid };
}
