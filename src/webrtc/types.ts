import type { ControlEventMessage } from "@cidcast/protocols/media-control";
import type { AbortOptions, Principal } from "../core/index.ts";
import type { StallReport } from "./quality/stall-report.ts";
import type { MediaInfo, TrackVerdict } from "../media/index.ts";
import type { IceCredentials, IceRestartAnswer } from "./peer.ts";

/** Quality levels of the signalling; `auto` leaves the choice to the controller. */
export type QualityLevel = "auto" | "very_low" | "low" | "medium" | "high" | "very_high";

export interface SessionInit extends AbortOptions {
  readonly cid: string;
  /** Only tracks of this kind; default: all default tracks. */
  readonly kind?: "video" | "audio" | undefined;
  readonly trackIds?: readonly string[] | undefined;
  /** Further content, whose default tracks are played along with the first's. */
  readonly also?: readonly string[];
  readonly quality?: QualityLevel;
  /** `auto` goes no higher than that. */
  readonly maxQuality?: QualityLevel;
  /** All tracks together, bits per second. */
  readonly maxBitrateBps?: number;
  /** Size at which the picture is shown, pixels of the screen. */
  readonly view?: { readonly width: number; readonly height: number };
  /** What the viewer's path carried last time, bits per second: the first rung is chosen by it. */
  readonly bandwidthBps?: number;
  /** Where playing starts, seconds. */
  readonly startSeconds?: number;
  /** The session whose connection the viewer has lost, and how often it has tried to come again. */
  readonly replaces?: { readonly id: string; readonly attempt: number };
  readonly principal: Principal;
  /** Who the session belongs to, for instance a signalling connection: only its owner may touch it. */
  readonly owner: string;
  /** Network address that the request came from, where there is one: as many sessions as the limit says. */
  readonly address?: string | undefined;
}

/** A track to be added to a session. */
export interface AddTrackInit extends AbortOptions {
  readonly cid: string;
  /** Default: the first default track that plays. */
  readonly kind?: "video" | "audio" | undefined;
  /** A certain track of that content. */
  readonly trackId?: string | undefined;
}

export interface CandidateInit {
  readonly candidate: string;
  readonly sdpMid?: string | null;
  readonly sdpMLineIndex?: number | null;
}

export type ControlCommand =
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "seek"; readonly positionSeconds: number; readonly exact?: boolean | undefined }
  | { readonly type: "set_loop"; readonly loop: boolean; readonly range?: LoopRange | undefined }
  | { readonly type: "set_rate"; readonly rate: number }
  | { readonly type: "step"; readonly frames: 1 | -1 }
  | { readonly type: "set_view"; readonly width: number; readonly height: number }
  | { readonly type: "captions"; readonly trackId: string | null }
  | { readonly type: "get_state" };

/** A part that is repeated, seconds of media. */
export interface LoopRange {
  readonly startSeconds: number;
  readonly endSeconds: number;
}

export interface PlaybackState {
  readonly state: "connecting" | "playing" | "paused" | "buffering" | "ended" | "closed";
  readonly positionSeconds: number;
  readonly durationSeconds: number;
  readonly loop: boolean;
  readonly loopRange: LoopRange | undefined;
  /** Seconds of media per second. */
  readonly rate: number;
  /** False after a seek that shows an earlier picture than the one asked for. */
  readonly exact: boolean;
  /** True where this rate is played without sound. */
  readonly soundMuted: boolean;
  /** RTP time from which pictures are those of the place that was gone to last: earlier ones were only to be decoded. */
  readonly pictureTime: number | undefined;
}

/** A channel for messages that a viewer has opened. */
export interface ViewerChannel {
  readonly principal: Principal;
  readonly sessionId: string;
  send(text: string): void;
  close(): void;
}

/** The other end of a {@link ViewerChannel}. */
export interface ChannelConnection {
  /** One message, whole. */
  receive(text: string): void;
  /** The channel is gone. */
  close(): void;
}

/** Serves channels for messages; undefined: the viewer gets none. */
export interface ChannelDoor {
  connect(channel: ViewerChannel): ChannelConnection | undefined;
}

/** A viewer's session, whatever door it came through. */
export interface StreamingSession {
  /** `pc_id` on the wire. */
  readonly id: string;
  readonly cid: string;
  readonly owner: string;
  /** Whose it is, where it is a tenant's. */
  readonly tenantId?: string | undefined;
  readonly info: MediaInfo;
  readonly verdicts: Readonly<Record<string, TrackVerdict>>;
  /** Applies the answer. `CONFLICT` when there was one already, `INVALID_SDP` when it cannot be used. */
  answer(sdp: string): Promise<void>;
  /** An offer that restarts ICE, to be answered like the first. `CONFLICT` before there is a connection, or while another offer waits. */
  offerRestart(): Promise<{ readonly sdp: string }>;
  /** Restarts ICE with the viewer's new credentials (WHEP). `CONFLICT` before there is a connection. */
  restartIce(remote: IceCredentials): Promise<IceRestartAnswer>;
  /** A trickled candidate; an empty string ends them. Any order, also before the answer. */
  addCandidate(candidate: CandidateInit): Promise<void>;
  control(command: ControlCommand): Promise<PlaybackState>;
  /** Levels to choose from, `auto` first; none where there is one quality. */
  readonly qualities: readonly QualityLevel[];
  /** Resolves to false, with the reason, when there is only one quality. */
  setQuality(quality: QualityLevel): Promise<{ readonly success: boolean; readonly reason?: string }>;
  /**
   * The offer for one more track, of this or other content; its answer goes to {@link answer}. `CONFLICT` before the first
   * answer and while such an offer waits, `LIMIT_REACHED`.
   */
  addTrack(init: AddTrackInit): Promise<{ readonly trackId: string; readonly sdp: string }>;
  /** Switches a track on or off, or puts one of this content in the place of another. `TRACK_NOT_FOUND`, `CONFLICT`. */
  setTrack(trackId: string, enabled: boolean): Promise<void>;
  /** Ends a track. `TRACK_NOT_FOUND`. */
  removeTrack(trackId: string): Promise<void>;
  /** Hears the events of media control: state, ended, error, and unless `positions` is false where it plays, four times a second. */
  onEvent(
    listener: (event: ControlEventMessage) => void,
    options?: { readonly positions?: boolean },
  ): () => void;
  /** Fields of connection_stats; every figure measured. */
  stats(): Promise<Readonly<Record<string, unknown>>>;
  /** What keeps it from playing as it should, in one line, and what was decided so far. */
  whyStalled(): Promise<StallReport>;
  close(reason?: string): Promise<void>;
}

/** Decides which quality a session gets. */
export interface QualityController {
  /** The level of a session, as its viewer chose it or was given. */
  level(sessionId: string): QualityLevel;
  /** Levels that differ, `auto` first; none where there is one quality. */
  levels(): readonly QualityLevel[];
  /** False, with the reason in words for people, when the session cannot have it. */
  set(sessionId: string, quality: QualityLevel): { readonly success: boolean; readonly reason?: string };
  /** The session is over. */
  forget(sessionId: string): void;
}

/** Opens and keeps viewers' sessions. */
export interface WebRTCStreamingManager {
  /** An offer of ours: all host candidates are in the SDP. */
  createOffer(init: SessionInit): Promise<{ readonly session: StreamingSession; readonly sdp: string }>;
  /** An answer to a viewer's offer (WHEP). */
  createAnswer(
    init: SessionInit & { readonly offerSdp: string },
  ): Promise<{ readonly session: StreamingSession; readonly sdp: string }>;
  /** The session of that id, when it belongs to `owner` (undefined: any owner). */
  session(id: string, owner?: string): StreamingSession | undefined;
  sessions(): readonly StreamingSession[];
  /** {@link StreamingSession.whyStalled} of the session of that id, when it belongs to `owner`. `SESSION_NOT_FOUND`. */
  whyStalled(id: string, owner?: string): Promise<StallReport>;
  globalMetrics(): Promise<Readonly<Record<string, unknown>>>;
  /** STUN and TURN servers that a viewer may use, with credentials made for it. */
  iceServers(viewer: string): readonly IceServer[];
  closeOwner(owner: string, reason: string): Promise<void>;
  readonly limits: {
    readonly maxSessions: number;
    readonly maxSessionsPerOwner: number;
    /** 0: any number. */
    readonly maxSessionsPerAddress: number;
  };
}

/** As in `RTCConfiguration.iceServers`. */
export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

/** How a signalling connection greets: `welcome` at once, or nothing until the client speaks. */
export type Greeting = "welcome" | "silent";

/** One signalling client, whatever carries its frames. */
export interface SignallingConnection {
  /** One text frame from the client. Never throws: errors are answered. */
  receive(text: string): Promise<void>;
  /** The carrier is gone: all its sessions are closed. */
  close(reason: string): Promise<void>;
}

export interface SignallingHandler {
  connect(init: {
    readonly greeting: Greeting;
    readonly principal: Principal;
    /** Network address of the client, where there is one. */
    readonly address?: string | undefined;
    /** Sends one text frame; false when the carrier is closed. */
    readonly send: (text: string) => boolean;
  }): SignallingConnection;
}

/** A viewer is there, or there again. */
interface EstablishedEvent {
  readonly pc_id: string;
  readonly cid: string;
  /** The session in whose place this one is. */
  readonly replaces?: string | undefined;
  /** Its ICE was restarted: it was there before. */
  readonly restarted?: boolean;
}

/** A viewer tries to go on after its connection was lost. */
interface ReconnectionEvent {
  /** The session whose connection was lost. */
  readonly pc_id: string;
  readonly cid: string;
  /** From 1, in a row. */
  readonly attempt: number;
  readonly how: "ice_restart" | "new_session";
}

/** Events of this domain. */
export interface WebRTCEvents {
  webrtc_offer: { readonly pc_id: string; readonly cid: string };
  webrtc_connection_created: { readonly pc_id: string; readonly cid: string };
  webrtc_connection_established: EstablishedEvent;
  webrtc_connected: EstablishedEvent;
  webrtc_connection_closed: { readonly pc_id: string; readonly cid: string; readonly reason: string };
  webrtc_stream_started: { readonly pc_id: string; readonly cid: string };
  webrtc_stream_ended: { readonly pc_id: string; readonly cid: string };
  webrtc_quality_changed: {
    readonly pc_id: string;
    readonly cid: string;
    readonly quality_level: string;
    /** What changed, and why. */
    readonly change: string;
    readonly reason: string;
    readonly previous_level: string | undefined;
    readonly network_score: number;
    /** 0 to 1. */
    readonly buffer_level: number;
    /** Milliseconds, percent, bits per second. */
    readonly network_metrics: {
      readonly rtt: number;
      readonly packet_loss: number;
      readonly bandwidth_estimate: number;
      readonly jitter: number;
    };
  };
  webrtc_reconnection_attempt: ReconnectionEvent & {
    /** Where a new session goes on, seconds. */
    readonly position_seconds?: number;
  };
  webrtc_reconnection_failed: ReconnectionEvent & { readonly code: string; readonly message: string };
  webrtc_error: {
    readonly pc_id: string | undefined;
    readonly cid: string | undefined;
    readonly code: string;
    readonly message: string;
  };
}
