import type { RtpCodec } from "../media/index.ts";
import type { MasterKey } from "./rtp/srtp/index.ts";
import type { CandidateInit } from "./types.ts";

/** A track to be sent. */
export interface PeerTrack {
  readonly kind: "video" | "audio";
  readonly codec: RtpCodec;
}

/** How a track is sent, once both sides have agreed. */
export interface NegotiatedStream {
  /** Place in the list of tracks. */
  readonly track: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly clockRate: number;
  /** Retransmissions of their own (RFC 4588), when the viewer takes them. */
  readonly rtx: { readonly ssrc: number; readonly payloadType: number } | undefined;
  /** Payload type of sound that carries the packet before along (RFC 2198), when the viewer takes it. */
  readonly redPayloadType: number | undefined;
  readonly mid: { readonly id: number; readonly value: string } | undefined;
  readonly twccId: number | undefined;
}

/** Credentials of one side of an ICE session. */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** What an ICE restart tells the viewer. */
export interface IceRestartAnswer extends IceCredentials {
  /** Our candidates, as lines of an SDP without their end. */
  readonly candidates: readonly string[];
}

/** Keys and address, once DTLS is up and the viewer's certificate is proven. */
export interface PeerTransport {
  readonly host: string;
  readonly port: number;
  readonly send: MasterKey;
  readonly receive: MasterKey;
  /** As `server` we finish first: the viewer may not have its keys yet. */
  readonly dtlsRole: "client" | "server";
  /** Of the ICE checks, ms. */
  readonly roundTripMs: number | undefined;
}

/** What happens on a channel for messages; each channel that a viewer opens has a number of its own. */
export type ChannelEvent =
  | { readonly type: "open"; readonly channel: number }
  | { readonly type: "message"; readonly channel: number; readonly text: string }
  | { readonly type: "closed"; readonly channel: number };

/** What a peer tells its owner. Calls come from its own thread, never after {@link EgressPeer.close}. */
export interface PeerHandlers {
  onTransport(transport: PeerTransport): void;
  /** The viewer has sent something that proves it has the keys of this connection. */
  onKeysProven(): void;
  /** SRTP or SRTCP, as it came. */
  onMedia(datagram: Buffer): void;
  onControlOpen(): void;
  /** A message on a data channel called `control`; a binary one is undefined. */
  onControl(text: string | undefined): void;
  /** Something on a channel that the viewer has opened for messages. */
  onChannel(event: ChannelEvent): void;
  /** A path came to be with the credentials of an ICE restart. */
  onRestarted(): void;
  /** The connection failed, lost its consent to send, or was closed by the viewer. */
  onClosed(reason: string): void;
}

/** One viewer's connection: SDP, ICE, DTLS and data channel. Media is not its business, only the keys for it. */
export interface EgressPeer {
  createOffer(): Promise<string>;
  /** `INVALID_SDP` when the offer cannot be answered. */
  createAnswer(offerSdp: string): Promise<string>;
  /** `INVALID_SDP` when the answer cannot be used. */
  setAnswer(sdp: string): Promise<void>;
  /** An offer that restarts ICE; its answer goes to {@link setAnswer}. `CONFLICT` before there is a connection. */
  offerRestart(): Promise<string>;
  /** Restarts ICE with the viewer's new credentials. `CONFLICT` before there is a connection. */
  restartIce(remote: IceCredentials): Promise<IceRestartAnswer>;
  /** In any order, also before the answer; what cannot be used is passed over. */
  addCandidate(candidate: CandidateInit): Promise<void>;
  /** Takes one more track into the connection; the offer for it is answered through {@link setAnswer}. */
  addTrack(track: PeerTrack): Promise<string>;
  /** The next offer says that this track is sent no more. */
  endTrack(track: number): void;
  /** Tracks that the viewer takes. */
  streams(): readonly NegotiatedStream[];
  /** False while there is no open channel. */
  sendControl(text: string): boolean;
  /** Sends on a channel for messages; one that is closed takes nothing. */
  sendMessage(channel: number, text: string): void;
  closeChannel(channel: number): void;
  /** Sends a protected RTCP packet on the selected path. */
  sendRtcp(packet: Buffer): void;
  /** Where media goes now; undefined while there is no path, or its consent is lost. */
  path():
    | { readonly host: string; readonly port: number; readonly roundTripMs: number | undefined }
    | undefined;
  readonly iceState: string;
  close(): Promise<void>;
}

export interface PeerInit {
  readonly tracks: readonly PeerTrack[];
  readonly handlers: PeerHandlers;
}

/** Makes peers that share what the thread has: certificate, socket, addresses. */
export interface PeerFactory {
  create(init: PeerInit): EgressPeer;
}
