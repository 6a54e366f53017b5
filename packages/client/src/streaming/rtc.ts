/**
 * What streaming needs of a WebRTC implementation: the part of the browser's `RTCPeerConnection` that is used here, which
 * libraries for Node.js have as well.
 */
export interface RtcConnection {
  readonly connectionState: string;
  addEventListener(type: "track", listener: (event: RtcTrackEvent) => void): void;
  addEventListener(type: "datachannel", listener: (event: { readonly channel: RtcChannel }) => void): void;
  addEventListener(
    type: "icecandidate",
    listener: (event: { readonly candidate?: RtcCandidate | null }) => void,
  ): void;
  addEventListener(type: "connectionstatechange", listener: () => void): void;
  removeEventListener(type: "connectionstatechange", listener: () => void): void;
  setRemoteDescription(description: { type: "offer"; sdp: string }): Promise<void>;
  createAnswer(): Promise<{ readonly sdp?: string }>;
  setLocalDescription(description: { type: "answer"; sdp: string }): Promise<unknown>;
  addIceCandidate(candidate: {
    candidate: string;
    sdpMid: string | null;
    sdpMLineIndex: number | null;
  }): Promise<void>;
  setConfiguration(configuration: RtcConfiguration): void;
  close(): unknown;
}

export interface RtcTrackEvent {
  readonly track: RtcTrack;
  readonly receiver?: { jitterBufferTarget?: number | null };
}

export interface RtcTrack {
  readonly kind: string;
}

export interface RtcCandidate {
  readonly candidate: string;
  readonly sdpMid?: string | null;
  readonly sdpMLineIndex?: number | null;
}

export interface RtcChannel {
  readonly label: string;
  readonly readyState: string;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "open", listener: () => void, options?: { once?: boolean }): void;
  send(text: string): void;
}

export interface RtcIceServer {
  urls: string[];
  username?: string | undefined;
  credential?: string | undefined;
}

/** How a connection is asked for. */
export interface RtcConfiguration {
  iceServers: RtcIceServer[];
  bundlePolicy: "max-bundle";
}
