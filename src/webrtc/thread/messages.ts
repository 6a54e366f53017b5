import type { ErrorCode } from "@cidcast/protocols/errors";
import type { ControlEventMessage } from "@cidcast/protocols/media-control";
import type { RtpCodec, Segment } from "../../media/index.ts";
import type { EstimateCause } from "../congestion/index.ts";
import type { EgressKind } from "../rtp/egress/index.ts";
import type { SegmentPlace } from "../player/track-queue.ts";
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

export interface OpenSession {
  readonly id: string;
  readonly tracks: readonly HostTrack[];
  readonly durationSeconds: number;
  readonly startSeconds: number;
  /** The viewer's offer; without one the host makes its own. */
  readonly offerSdp: string | undefined;
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
  candidate: { argument: { readonly id: string; readonly candidate: CandidateInit }; answer: undefined };
  control: { argument: { readonly id: string; readonly command: ControlCommand }; answer: PlaybackState };
  session_stats: { argument: { readonly id: string }; answer: SessionStats };
  host_stats: { argument: Record<string, never>; answer: HostStats };
  close: {
    argument: { readonly id: string; readonly reason: string };
    answer: { readonly framesSent: number };
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
  | {
      /** The segment asked for by `need`; undefined at the end of the track. */
      readonly type: "segment";
      readonly id: string;
      readonly track: number;
      readonly ticket: number;
      readonly segment: Segment | undefined;
    }
  | {
      /** The sound of a rate other than 1 cannot be made: playing goes on without. */
      readonly type: "segment_silent";
      readonly id: string;
      readonly track: number;
      readonly ticket: number;
    }
  | {
      readonly type: "segment_failed";
      readonly id: string;
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
  /** The first packet has left. */
  | { readonly type: "started"; readonly id: string }
  | { readonly type: "event"; readonly id: string; readonly event: ControlEventMessage }
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
export interface SessionStats {
  readonly playback: PlaybackState;
  readonly iceState: string;
  readonly connected: boolean;
  readonly bytesSent: number;
  readonly packetsSent: number;
  readonly retransmitted: number;
  readonly framesSent: number;
  readonly framesLate: number;
  /** Left out because the path did not carry them. */
  readonly framesSkipped: number;
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
  readonly bufferedSeconds: number;
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
  /** Longest delay of a tick since the last question, ms. */
  readonly maxTickLagMs: number;
}

/** One end of the way between manager and host: a thread's port, or one within the thread. */
export interface HostPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  close(): void;
}
