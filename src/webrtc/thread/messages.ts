import type { ErrorCode } from "@cidcast/protocols/errors";
import type { ControlEventMessage } from "@cidcast/protocols/media-control";
import type { RtpCodec, Segment } from "../../media/index.ts";
import type { EstimateCause } from "../congestion/index.ts";
import type { ChannelEvent } from "../peer.ts";
import type { EgressKind } from "../rtp/egress/index.ts";
import type { SegmentPlace } from "../player/track-queue.ts";
import type { QualityDecision, QualityWish, Rung } from "../quality/types.ts";
import type { IceCredentials, IceRestartAnswer } from "../peer.ts";
import type { CandidateInit, ControlCommand, PlaybackState } from "../types.ts";

/**
 * What the manager (main thread) and a host (media thread) say to each other. Everything can be cloned; segments lie in
 * shared memory and are not copied. Requests carry a number that comes back in one `reply`.
 */

/** What a host needs to begin. */
export interface HostInit {
  readonly host: string;
  readonly port: number;
  readonly portFallback: boolean;
  /** ICE over TCP too, on the same port number. */
  readonly tcp: boolean;
  /** Addresses offered instead of the one bound to. */
  readonly announcedAddresses: readonly string[];
  readonly stunServer: readonly [string, number] | undefined;
  readonly egress: "auto" | "js" | "batched";
  /** A connection to ourselves at the start, so that the first viewer meets warm code. */
  readonly warmUp: boolean;
}

/** A track as the host needs it. */
export interface HostTrack {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly codec: RtpCodec;
  readonly bitrateBps: number | undefined;
}

/** What the pictures of a session can be, and begin with. */
export interface SessionQuality {
  /** From the least demanding up; one where there is no choice, none without pictures. */
  readonly rungs: readonly Rung[];
  /** Place of the rung to begin with. */
  readonly first: number;
  readonly wish: QualityWish;
  /** What the viewer's path carried last time, bits per second. */
  readonly bandwidthBps: number | undefined;
}

export interface OpenSession {
  readonly id: string;
  readonly tracks: readonly HostTrack[];
  readonly durationSeconds: number;
  readonly startSeconds: number;
  /** The viewer's offer; without one the host makes its own. */
  readonly offerSdp: string | undefined;
  readonly quality: SessionQuality;
  /** Sent first on each control channel. */
  readonly greeting: ControlEventMessage;
}

/** What can be asked of a host, by name: argument and answer. */
export interface HostRequests {
  open: { argument: OpenSession; answer: { readonly sdp: string } };
  answer: { argument: { readonly id: string; readonly sdp: string }; answer: undefined };
  /** One more track: the offer that the viewer answers before it is sent. */
  add_track: {
    argument: {
      readonly id: string;
      readonly track: HostTrack;
      /** Of everything that is played together by then. */
      readonly durationSeconds: number;
      readonly greeting: ControlEventMessage;
    };
    answer: { readonly sdp: string };
  };
  /** A track is switched on or off, or read from something else (`renewed`), or not sent any more. */
  change_track: {
    argument: {
      readonly id: string;
      readonly track: number;
      readonly change: "on" | "off" | "renewed" | "ended";
      readonly greeting: ControlEventMessage;
    };
    answer: undefined;
  };
  /** An offer that restarts ICE; the answer comes by `answer`. */
  offer_restart: { argument: { readonly id: string }; answer: { readonly sdp: string } };
  restart_ice: {
    argument: { readonly id: string; readonly remote: IceCredentials };
    answer: IceRestartAnswer;
  };
  candidate: { argument: { readonly id: string; readonly candidate: CandidateInit }; answer: undefined };
  control: { argument: { readonly id: string; readonly command: ControlCommand }; answer: PlaybackState };
  /** Another wish for the quality. */
  quality: { argument: { readonly id: string; readonly wish: QualityWish }; answer: undefined };
  /** The session's decisions, oldest first. */
  session_log: { argument: { readonly id: string }; answer: readonly QualityDecision[] };
  session_stats: { argument: { readonly id: string }; answer: SessionStats };
  host_stats: { argument: Record<string, never>; answer: HostStats };
  close: {
    argument: { readonly id: string; readonly reason: string };
    answer: SessionTotals | undefined;
  };
  stop: { argument: Record<string, never>; answer: undefined };
}

export type HostRequest = {
  [K in keyof HostRequests]: {
    readonly type: K;
    readonly request: number;
    readonly argument: HostRequests[K]["argument"];
  };
}[keyof HostRequests];

/** An error as it crosses threads. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
}

export type ToHost =
  | HostRequest
  /** An event for the viewer alone; `keep`: also on channels that open later. */
  | { readonly type: "say"; readonly id: string; readonly event: ControlEventMessage; readonly keep: boolean }
  /** From now on the manager hears of its position as well. */
  | { readonly type: "follow"; readonly id: string }
  | {
      /** The segment asked for by `need`; undefined at the end of the track. */
      readonly type: "segment";
      readonly id: string;
      readonly track: number;
      readonly ticket: number;
      readonly segment: Segment | undefined;
      /** The rung it is of, where there are several. */
      readonly rung: string | undefined;
    }
  | {
      /** The sound of a rate other than 1 cannot be made: playing goes on without. */
      readonly type: "segment_silent";
      readonly id: string;
      readonly track: number;
      readonly ticket: number;
    }
  /** On a channel for messages; without a text it is closed. */
  | {
      readonly type: "channel";
      readonly id: string;
      readonly channel: number;
      readonly text: string | undefined;
    }
  | {
      readonly type: "segment_failed";
      readonly id: string;
      readonly track: number;
      readonly ticket: number;
      readonly error: WireError;
    };

export type FromHost =
  | {
      readonly type: "ready";
      readonly host: string;
      readonly port: number;
      readonly egress: EgressKind;
      /** Why it is not the best there is. */
      readonly egressReason: string | undefined;
      /** Why there is no ICE over TCP where it was wanted. */
      readonly tcpReason: string | undefined;
    }
  /** Packets leave another way from now on. */
  | { readonly type: "egress"; readonly kind: EgressKind; readonly reason: string }
  | { readonly type: "failed"; readonly error: WireError }
  | {
      readonly type: "reply";
      readonly request: number;
      readonly value: unknown;
      readonly error: WireError | undefined;
    }
  | {
      readonly type: "need";
      readonly id: string;
      readonly track: number;
      readonly ticket: number;
      readonly place: SegmentPlace;
    }
  /** ICE and DTLS are up, and the viewer is proven. */
  | { readonly type: "connected"; readonly id: string }
  /** Media goes along a path of new ICE credentials. */
  | { readonly type: "restarted"; readonly id: string }
  /** The viewer wants the cues of some captions, or none any more. */
  | { readonly type: "captions"; readonly id: string; readonly trackId: string | null }
  /** The first packet has left. */
  | { readonly type: "started"; readonly id: string }
  | { readonly type: "event"; readonly id: string; readonly event: ControlEventMessage }
  /** The first picture has arrived. */
  | { readonly type: "seen"; readonly id: string }
  /** What the controller has decided. */
  | { readonly type: "quality"; readonly id: string; readonly decision: QualityDecision }
  | { readonly type: "channel"; readonly id: string; readonly event: ChannelEvent }
  /** The session is over by itself: the viewer left, its path failed, its media failed. */
  | {
      readonly type: "closed";
      readonly id: string;
      readonly reason: string;
      readonly code: ErrorCode | undefined;
    };

/** What a host says of one of its sessions. */
export type SessionNote = Exclude<FromHost, { type: "ready" | "failed" | "reply" | "egress" }>;

/** What a host measures of a session. */
export interface SessionStats extends LinkFigures {
  readonly playback: PlaybackState;
  readonly iceState: string;
  readonly connected: boolean;
  readonly framesSent: number;
  /** Pictures alone, and those of them that are keyframes. */
  readonly picturesSent: number;
  readonly keyframesSent: number;
  readonly framesLate: number;
  /** Left out because the path did not carry them. */
  readonly framesSkipped: number;
  readonly bufferedSeconds: number;
  /** The rung that is shown; undefined where there is one quality. */
  readonly rung: string | undefined;
  readonly rungChanges: number;
  /** Sound goes on without pictures. */
  readonly picturesPaused: boolean;
  /** Seconds of media that come each second, while they are waited for. */
  readonly supplyFactor: number | undefined;
  /** Seconds that playing was to go on and did not, and that it did. */
  readonly stalledSeconds: number;
  readonly playedSeconds: number;
}

/** What a session comes to at its end. */
export interface SessionTotals {
  readonly framesSent: number;
  readonly playedSeconds: number;
  readonly stalledSeconds: number;
  readonly estimateBps: number | undefined;
  /** Seconds played in each rung. */
  readonly rungSeconds: Readonly<Record<string, number>>;
}

/** What is measured of a viewer's packets. */
export interface LinkFigures {
  readonly bytesSent: number;
  readonly packetsSent: number;
  readonly retransmitted: number;
  /** Packets of sound that carried the one before along. */
  readonly soundRepeated: number;
  readonly nacks: number;
  readonly keyframeRequests: number;
  readonly roundTripMs: number | undefined;
  readonly jitterMs: number | undefined;
  /** 0 to 1. */
  readonly packetLoss: number;
  readonly receivedBps: number | undefined;
  /** What the path is thought to carry, bits per second; undefined before anything has been heard of it. */
  readonly estimateBps: number | undefined;
  readonly estimateCause: EstimateCause;
  /** Delay of the path above its least, ms. */
  readonly queueMs: number;
  /** The rate that is kept under while the path is the limit. */
  readonly limitBps: number | undefined;
  /** Tracks that are sent. */
  readonly streams: number;
}

/** What a host measures of itself. */
export interface HostStats {
  readonly egress: EgressKind;
  readonly sessions: number;
  readonly segments: number;
  readonly packets: number;
  readonly bytes: number;
  readonly dropped: number;
  readonly errors: number;
  readonly received: number;
  readonly refused: number;
  readonly unknown: number;
  /** Viewers' connections over TCP: open now, closed at a limit, and packets that they did not take. */
  readonly tcpConnections: number;
  readonly tcpRefused: number;
  readonly tcpDropped: number;
  /** Longest delay of a tick since the last question, ms. */
  readonly maxTickLagMs: number;
}

/** One end of the way between manager and host: a thread's port, or one within the thread. */
export interface HostPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  close(): void;
}
