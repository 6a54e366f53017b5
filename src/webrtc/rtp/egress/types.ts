import type { Socket } from "node:dgram";
import type { SrtpKeys } from "../srtp/srtp-keys.ts";

/** One RTP stream of a viewer. */
export interface StreamInit {
  readonly ssrc: number;
  readonly payloadType: number;
  /** SDES MID header extension. */
  readonly mid: { readonly id: number; readonly value: string } | undefined;
  /** Id of the transport-wide sequence number extension. */
  readonly twccId: number | undefined;
  /** First sequence number; default random, in the lower half so that an early wrap cannot confuse a receiver. */
  readonly firstSequence?: number;
}

/** Where a viewer's packets go, and with which keys. */
export interface LinkInit {
  readonly host: string;
  readonly port: number;
  readonly keys: SrtpKeys;
  /** Called for each packet before it leaves; `transportSequence` is its transport-wide number. */
  readonly onSent?: (transportSequence: number, bytes: number) => void;
}

/** `js`: node:crypto and dgram, everywhere. `batched`: native encryption and many packets per system call, on Linux. */
export type EgressKind = "js" | "batched";

/** Sends RTP of many viewers through one UDP socket. All methods belong to one thread. */
export interface Egress {
  /** What sends at the moment: a batched egress says `js` once it had to give native code up. */
  readonly kind: EgressKind;
  link(init: LinkInit): EgressLink;
  /** Sends all that was queued in this tick; call once after the last viewer of the tick. */
  flush(): void;
  readonly stats: Readonly<EgressStats>;
  close(): void;
}

/** A viewer's packets: one transport-wide numbering over all its streams. */
export interface EgressLink {
  stream(init: StreamInit): EgressStream;
  /** The viewer's address changed. */
  setRemote(host: string, port: number): void;
  /** Sending afterwards is a no-op. */
  close(): void;
}

/** Numbers, encrypts and sends the payloads of one SSRC. */
export interface EgressStream {
  readonly ssrc: number;
  /** Of the packets to come. */
  payloadType: number;
  /** Sequence number of the next packet. */
  readonly sequence: number;
  readonly packets: number;
  /** Payload bytes, as sender reports count them. */
  readonly octets: number;
  /**
   * Sends `payload`, which must never change afterwards. `prefix`, the original sequence number of a retransmission
   * (RFC 4588), goes before it.
   */
  send(payload: Buffer, timestamp: number, marker: boolean, prefix?: number): void;
}

export interface EgressStats {
  packets: number;
  bytes: number;
  /** Packets given up: the socket did not take them, or they are larger than a datagram may be. */
  dropped: number;
  errors: number;
}

/** Makes an {@link Egress} on a bound socket. */
export type EgressFactory = (init: { readonly socket: Socket }) => Egress;
