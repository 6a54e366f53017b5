import type { RTCDtlsTransport, RTCRtpSender, StunProtocol } from "werift";

/**
 * Parts of werift 0.25.2 that its types hide and that {@link ../werift} takes over. The version is pinned exactly; the
 * tests of this folder fail when one of them is gone.
 */
export interface IceInternals {
  localUsername: string;
  localPassword: string;
  userHistory: Record<string, string>;
  localCandidatesStart: boolean;
  localCandidatesEnd: boolean;
  remoteUsername: string;
  remotePassword: string;
  remoteCandidates: readonly unknown[];
  _remoteCandidates: unknown[];
  readonly iceControlling: boolean;
  generation: number;
  state: string;
  nominated: IcePair | undefined;
  checkList: IcePair[];
  checkListDone: boolean;
  readonly checkListState: { get(): Promise<number> };
  earlyChecks: IceCheck[];
  earlyChecksDone: boolean;
  readonly protocols: StunProtocol[];
  ensureProtocol(protocol: StunProtocol): void;
  pairLocalProtocol(protocol: StunProtocol): void;
  pairRemoteCandidate(candidate: unknown): void;
  appendLocalCandidate(candidate: unknown): void;
  sortCheckList(): void;
  unfreezeInitial(): void;
  schedulingChecks(): boolean;
  checkIncoming(...check: IceCheck): void;
  checkStart(pair: IcePair): IcePair["handle"];
  queryConsent(): void;
  canSendApplicationData(): boolean;
  setState(state: string): void;
  send(datagram: Buffer): Promise<void>;
  gatherCandidates(): Promise<void>;
  connect(): Promise<void>;
}

/** A pair of candidates. */
export interface IcePair {
  readonly protocol: StunProtocol;
  readonly remoteAddr: readonly [string, number];
  readonly state: number;
  readonly requestsSent: number;
  /** Seconds. */
  readonly rtt: number | undefined;
  nominated: boolean;
  handle: { readonly resolve?: () => void; readonly awaitable: Promise<unknown> } | undefined;
}

/** A STUN message as the package reads it. */
export interface StunMessage {
  readonly attributesKeys: readonly string[];
  getAttributeValue(name: "USERNAME"): string;
}

/** A check that came: message, whence, and by which socket. */
export type IceCheck = [message: StunMessage, from: readonly [string, number], protocol: StunProtocol];

/** One complete handshake message, as werift's flights take it. */
export interface HandshakeMessage {
  readonly msg_type: number;
  readonly length: number;
  readonly message_seq: number;
  readonly fragment_offset: number;
  readonly fragment_length: number;
  readonly fragment: Buffer;
  readonly summary: unknown;
  serialize(): Buffer;
}

interface DtlsRandom {
  serialize(): Buffer;
}

/** A message of the handshake, ours or the peer's. */
interface CachedMessage {
  readonly msg_type: number;
  serialize(): Buffer;
}

/** A DTLS association. */
export interface DtlsInternals {
  connected: boolean;
  readonly dtls: {
    flight: number;
    readonly epoch: number;
    /** Of the record sent last, in the present epoch. */
    recordSequenceNumber: number;
    /** By flight. */
    readonly handshakeCache: Readonly<Record<number, { readonly data: readonly CachedMessage[] }>>;
    readonly sortedHandshakeCache: readonly CachedMessage[];
    readonly remoteExtendedMasterSecret: boolean;
  };
  readonly cipher: {
    readonly remoteCertificate: Buffer | undefined;
    readonly masterSecret: Buffer | undefined;
    readonly localRandom: DtlsRandom;
    readonly remoteRandom: DtlsRandom;
    readonly cipher: unknown;
    decryptPacket(packet: unknown): Buffer;
    encryptPacket(packet: unknown): { readonly fragment: Buffer };
  };
  readonly srtp: { readonly srtpProfile: number | undefined };
  readonly onConnect: { once(listener: () => void): void };
  readonly onError: { once(listener: (error: Error) => void): void; execute(error: Error): void };
  readonly onClose: { subscribe(listener: () => void): unknown; execute(): void };
  readonly onData: { subscribe(listener: (data: Buffer) => void): unknown };
  onHandleHandshakes(messages: HandshakeMessage[]): Promise<void>;
  udpOnMessage(datagram: Buffer): void;
  extractSessionKeys(
    keyBytes: number,
    saltBytes: number,
  ): { localKey: Buffer; localSalt: Buffer; remoteKey: Buffer; remoteSalt: Buffer };
  connect?(): Promise<void>;
}

/** A DTLS transport. */
export interface DtlsTransportInternals {
  state: string;
  role: "auto" | "client" | "server";
  readonly remoteParameters: { readonly fingerprints: readonly unknown[] } | undefined;
  readonly localCertificate:
    | { readonly certPem: string; readonly privateKey: string; readonly signatureHash: unknown }
    | undefined;
  readonly iceTransport: { readonly role: string; readonly connection: IceInternals };
  readonly srtpProfiles: number[];
  dtls: unknown;
  dataReceiver(data: Buffer): void;
  setState(state: string): void;
  verifyRemoteCertificateFingerprint(): void;
  start(): Promise<void>;
}

/** The hidden parts of a transport. The cast is the point of this file: see {@link IceInternals}. */
export function dtlsTransportInternals(transport: RTCDtlsTransport): DtlsTransportInternals {
  return transport as unknown as DtlsTransportInternals;
}

/** How a track was agreed on. */
export interface SenderInternals {
  readonly ssrc: number;
  readonly rtxSsrc: number;
  readonly rtxPayloadType: number | undefined;
  readonly codec: { readonly payloadType: number } | undefined;
  readonly headerExtensions: readonly { readonly id: number; readonly uri: string }[];
}

/** The hidden parts of a sender. */
export function senderInternals(sender: RTCRtpSender): SenderInternals {
  return sender as unknown as SenderInternals;
}
