import { MediaStream, MediaStreamTrack, RTCPeerConnection, type RTCRtpTransceiver } from "werift";
import { CidcastError, messageOf } from "../../core/index.ts";
import type { MuxPort } from "../net/index.ts";
import type {
  EgressPeer,
  IceCredentials,
  IceRestartAnswer,
  NegotiatedStream,
  PeerHandlers,
  PeerInit,
  PeerTrack,
} from "../peer.ts";
import type { MasterKey } from "../rtp/srtp/index.ts";
import type { CandidateInit } from "../types.ts";
import { clockRateOf, codecParameters, headerExtensions, isRed, redPayloadTypeIn } from "./codecs.ts";
import { ControlChannels } from "./control-channels.ts";
import { MessageChannel } from "./message-channel.ts";
import { replaceDtlsStart } from "./dtls/start.ts";
import { attachIce, type IceInit } from "./ice.ts";
import { IceRestart } from "./ice-restart.ts";
import {
  type DtlsInternals,
  dtlsTransportInternals,
  type IceInternals,
  senderInternals,
} from "./internals.ts";
import {
  candidateLines,
  candidateTarget,
  credentialsOf,
  outlineSdp,
  usableCandidate,
  withCredentials,
  withoutGeneration,
  withUsableCandidates,
} from "./sdp.ts";

/** Candidates a viewer may send; more are passed over. */
export const MAX_CANDIDATES = 64;
const GCM_PROFILE = 7;
const KEY_BYTES = 16;
const MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid";
const TWCC_URI = "transport-wide-cc-extensions";

/** A peer on werift. The only way in is one queue: calls never run beside each other. */
export class WeriftPeer implements EgressPeer {
  readonly #init: PeerInit;
  readonly #tracks: PeerTrack[];
  /** One for each pair of pictures and sound: browsers keep those of one stream in step, and no more than two. */
  readonly #streams: MediaStream[] = [];
  readonly #ice: IceInit;
  readonly #pc: RTCPeerConnection;
  readonly #transceivers: RTCRtpTransceiver[] = [];
  readonly #control: ControlChannels;
  readonly #messages: MessageChannel;
  #port: MuxPort | undefined;
  #connection: IceInternals | undefined;
  #iceRestart: IceRestart | undefined;
  /** With the credentials of the last restart; the package knows only its own. */
  #lastOffer: string | undefined;
  #stopDtls = (): void => undefined;
  #queue: Promise<unknown> = Promise.resolve();
  /** Where the viewer's candidates lead: each is checked once. */
  readonly #targets = new Set<string>();
  #waiting: CandidateInit[] = [];
  #candidates = 0;
  #described = false;
  /** The viewer's description. */
  #remote = "";
  #closed = false;

  constructor(init: PeerInit, ice: IceInit) {
    this.#init = init;
    this.#tracks = [...init.tracks];
    this.#ice = ice;
    const codecsOf = (kind: "video" | "audio") => {
      const codecs = new Set(init.tracks.filter(track => track.kind === kind).map(track => track.codec));
      return [...codecs].flatMap(codec => codecParameters(codec));
    };
    this.#pc = new RTCPeerConnection({
      codecs: { video: codecsOf("video"), audio: codecsOf("audio") },
      headerExtensions: headerExtensions(),
      // No server is asked by the package in any case: candidates are gathered by attachIce.
      iceServers: [],
      iceUseIpv6: false,
      bundlePolicy: "max-bundle",
    });
    const handlers = this.#guarded(init.handlers);
    this.#messages = new MessageChannel(event => handlers.onChannel(event));
    this.#control = new ControlChannels({
      pc: this.#pc,
      onOpen: () => handlers.onControlOpen(),
      onOther: channel => this.#messages.adopt(channel),
      onMessage: text => handlers.onControl(text),
    });
    this.#pc.connectionStateChange.subscribe(state => {
      if (state === "failed" || state === "closed") handlers.onClosed(`connection ${state}`);
    });
  }

  createOffer(): Promise<string> {
    return this.#serial(async () => {
      this.#addTransceivers();
      this.#control.create();
      this.#attach();
      const offer = await this.#pc.createOffer();
      await this.#pc.setLocalDescription(offer);
      return this.#localSdp();
    });
  }

  createAnswer(offerSdp: string): Promise<string> {
    return this.#serial(async () => {
      const outline = outlineSdp(offerSdp);
      const kinds = new Set(outline.media.filter(media => !media.rejected).map(media => media.kind));
      if (!this.#init.tracks.some(track => kinds.has(track.kind))) {
        throw new CidcastError("INVALID_SDP", "the offer has no media section for a track of this content");
      }
      checkTransport(outline);
      this.#remote = offerSdp;
      // An answer names nothing that was not offered.
      if (redPayloadTypeIn(offerSdp, "opus") === undefined) {
        const { audio = [], ...others } = this.#pc.config.codecs;
        this.#pc.config.codecs = { ...others, audio: audio.filter(codec => !isRed(codec)) };
      }
      this.#addTransceivers();
      await this.#invalidSdp(async () => {
        await this.#pc.setRemoteDescription({
          type: "offer",
          sdp: withUsableCandidates(offerSdp, this.#targets),
        });
        this.#attach();
        await this.#pc.setLocalDescription(await this.#pc.createAnswer());
      });
      if (kinds.has("application")) this.#control.create();
      await this.#nowDescribed();
      return this.#localSdp();
    });
  }

  offerRestart(): Promise<string> {
    return this.#serial(async () => {
      this.#lastOffer = withCredentials(this.#lastOffer ?? this.#localSdp(), this.#established().offer());
      return this.#lastOffer;
    });
  }

  restartIce(remote: IceCredentials): Promise<IceRestartAnswer> {
    return this.#serial(async () => {
      const restart = this.#established();
      const { ufrag, password } = restart.offer();
      this.#restart(restart, remote);
      return { ufrag, password, candidates: candidateLines(this.#localSdp()) };
    });
  }

  setAnswer(sdp: string): Promise<void> {
    return this.#serial(async () => {
      checkTransport(outlineSdp(sdp));
      if (this.#iceRestart?.isOffered === true) {
        const remote = credentialsOf(sdp);
        if (remote === undefined) throw new CidcastError("INVALID_SDP", "the answer has no ICE credentials");
        this.#restart(this.#iceRestart, remote);
        for (const candidate of candidateLines(sdp)) await this.#apply({ candidate: candidate.slice(2) });
        return;
      }
      this.#remote = sdp;
      await this.#invalidSdp(() =>
        this.#pc.setRemoteDescription({ type: "answer", sdp: withUsableCandidates(sdp, this.#targets) }),
      );
      await this.#nowDescribed();
    });
  }

  addTrack(track: PeerTrack): Promise<string> {
    return this.#serial(async () => {
      const known = this.#pc.config.codecs[track.kind];
      const missing = codecParameters(track.codec).filter(
        codec => known?.some(has => isCodec(has, [codec])) !== true,
      );
      this.#pc.config.codecs[track.kind] = [...(known ?? []), ...missing];
      this.#tracks.push(track);
      this.#addTransceiver(track);
      this.#lastOffer = undefined;
      await this.#pc.setLocalDescription(await this.#pc.createOffer());
      return this.#localSdp();
    });
  }

  endTrack(track: number): void {
    this.#transceivers[track]?.setDirection("inactive");
  }

  addCandidate(candidate: CandidateInit): Promise<void> {
    return this.#serial(async () => {
      this.#candidates++;
      if (this.#candidates > MAX_CANDIDATES || !usableCandidate(candidate.candidate)) return;
      if (this.#described) await this.#apply(candidate);
      else this.#waiting.push(candidate);
    });
  }

  streams(): readonly NegotiatedStream[] {
    return this.#transceivers.flatMap((transceiver, track) => {
      const sender = senderInternals(transceiver.sender);
      const codec = this.#tracks[track]?.codec;
      const direction = transceiver.currentDirection;
      if (codec === undefined || sender.codec === undefined) return [];
      if (transceiver.mid == null || (direction !== "sendonly" && direction !== "sendrecv")) return [];
      const idOf = (uri: string) =>
        sender.headerExtensions.find(extension => extension.uri.includes(uri))?.id;
      const midId = idOf(MID_URI);
      return [
        {
          track,
          ssrc: sender.ssrc,
          payloadType: sender.codec.payloadType,
          clockRate: clockRateOf(codec),
          rtx:
            sender.rtxPayloadType === undefined
              ? undefined
              : { ssrc: sender.rtxSsrc, payloadType: sender.rtxPayloadType },
          redPayloadType: redPayloadTypeIn(this.#remote, codec),
          mid: midId === undefined ? undefined : { id: midId, value: transceiver.mid },
          twccId: idOf(TWCC_URI),
        },
      ];
    });
  }

  sendControl(text: string): boolean {
    return !this.#closed && this.#control.send(text);
  }

  sendMessage(channel: number, text: string): void {
    if (!this.#closed) this.#messages.send(channel, text);
  }

  closeChannel(channel: number): void {
    if (!this.#closed) this.#messages.close(channel);
  }

  sendRtcp(packet: Buffer): void {
    const path = this.path();
    if (path !== undefined) this.#port?.send(packet, path.host, path.port);
  }

  path():
    | { readonly host: string; readonly port: number; readonly roundTripMs: number | undefined }
    | undefined {
    const connection = this.#connection;
    const old = this.#iceRestart?.oldPair;
    const pair = connection?.nominated ?? old;
    if (pair === undefined || connection === undefined) return undefined;
    if (old === undefined && !connection.canSendApplicationData()) return undefined;
    const [host, port] = pair.remoteAddr;
    return { host, port, roundTripMs: pair.rtt === undefined ? undefined : pair.rtt * 1000 };
  }

  get iceState(): string {
    return this.#pc.iceConnectionState;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    this.#control.close();
    this.#stopDtls();
    await this.#pc.close().catch(() => undefined);
    this.#port?.close();
  }

  #addTransceivers(): void {
    for (const track of this.#init.tracks) this.#addTransceiver(track);
  }

  #addTransceiver({ kind, codec }: PeerTrack): void {
    const place = this.#transceivers.filter(transceiver => transceiver.kind === kind).length;
    const stream = (this.#streams[place] ??= new MediaStream());
    const track = new MediaStreamTrack({ kind });
    const transceiver = this.#pc.addTransceiver(track, { direction: "sendonly", streams: [stream] });
    transceiver.codecs = (this.#pc.getConfiguration().codecs?.[kind] ?? []).filter(candidate =>
      isCodec(candidate, codecParameters(codec)),
    );
    // Sender reports come from the media clock, not from the moment of sending.
    transceiver.sender.runRtcp = () => Promise.resolve();
    this.#transceivers.push(transceiver);
  }

  #attach(): void {
    const [transport] = this.#pc.dtlsTransports;
    if (transport === undefined || this.#port !== undefined) return;
    const internals = dtlsTransportInternals(transport);
    this.#connection = internals.iceTransport.connection;
    this.#port = attachIce(this.#connection, this.#ice);
    this.#iceRestart = new IceRestart(this.#connection, this.#port);
    const handlers = this.#guarded(this.#init.handlers);
    this.#port.onMedia = datagram => handlers.onMedia(datagram);
    this.#stopDtls = replaceDtlsStart({
      transport: internals,
      port: this.#port,
      onConnected: dtls => this.#onDtls(dtls, internals.role === "client" ? "client" : "server"),
      onApplicationData: () => handlers.onKeysProven(),
      onClosed: () => handlers.onClosed("the viewer closed the connection"),
    });
  }

  #established(): IceRestart {
    if (this.#iceRestart !== undefined && this.#connection?.state === "connected") return this.#iceRestart;
    throw new CidcastError("CONFLICT", "ICE can be restarted once there is a connection");
  }

  #restart(restart: IceRestart, remote: IceCredentials): void {
    this.#targets.clear();
    this.#candidates = 0;
    const { onRestarted, onRestartFailed } = this.#guarded(this.#init.handlers);
    restart.begin(remote, { onDone: onRestarted, onFailed: onRestartFailed });
  }

  #onDtls(dtls: DtlsInternals, dtlsRole: "client" | "server"): void {
    const path = this.path();
    if (this.#closed || path === undefined) return;
    this.#port?.watch(path.host, path.port);
    const gcm = dtls.srtp.srtpProfile === GCM_PROFILE;
    const keys = dtls.extractSessionKeys(KEY_BYTES, gcm ? 12 : 14);
    const profile = gcm ? "aead-aes-128-gcm" : "aes-128-cm-hmac-sha1-80";
    const send: MasterKey = { profile, key: keys.localKey, salt: keys.localSalt };
    const receive: MasterKey = { profile, key: keys.remoteKey, salt: keys.remoteSalt };
    this.#init.handlers.onTransport({ ...path, send, receive, dtlsRole });
  }

  async #nowDescribed(): Promise<void> {
    this.#described = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const candidate of waiting) await this.#apply(candidate);
  }

  async #apply(candidate: CandidateInit): Promise<void> {
    // One bundle, one transport: which section a candidate names does not matter.
    const text = withoutGeneration(candidate.candidate);
    const target = candidateTarget(text);
    if (this.#targets.has(target)) return;
    this.#targets.add(target);
    await this.#pc.addIceCandidate({ candidate: text, sdpMLineIndex: 0 }).catch(() => undefined);
  }

  #localSdp(): string {
    const sdp = this.#pc.localDescription?.sdp;
    if (sdp === undefined) throw new CidcastError("INTERNAL", "there is no local description");
    return sdp;
  }

  async #invalidSdp<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const what = `the session description cannot be used: ${messageOf(error)}`;
      throw new CidcastError("INVALID_SDP", what, { cause: error });
    }
  }

  /** Runs after all that was asked before; a failure does not keep what follows from running. */
  #serial<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(() => {
      if (this.#closed) throw new CidcastError("SESSION_NOT_FOUND", "the connection is closed");
      return work();
    });
    this.#queue = next.catch(() => undefined);
    return next;
  }

  #guarded(
    handlers: PeerHandlers,
  ): Omit<PeerHandlers, "onTransport"> & { readonly onRestartFailed: () => void } {
    const guard =
      <A extends unknown[]>(fn: (...args: A) => void) =>
      (...args: A): void => {
        if (!this.#closed) fn(...args);
      };
    return {
      onKeysProven: guard(() => handlers.onKeysProven()),
      onMedia: guard(datagram => handlers.onMedia(datagram)),
      onControlOpen: guard(() => handlers.onControlOpen()),
      onControl: guard(text => handlers.onControl(text)),
      onChannel: guard(event => handlers.onChannel(event)),
      onClosed: guard(reason => handlers.onClosed(reason)),
      onRestarted: guard(() => handlers.onRestarted()),
      onRestartFailed: guard(() => handlers.onClosed("the ICE restart came to nothing")),
    };
  }
}

function isCodec(
  candidate: { readonly mimeType: string; readonly payloadType: number },
  wanted: readonly { readonly mimeType: string; readonly payloadType: number }[],
): boolean {
  return wanted.some(
    codec => codec.mimeType === candidate.mimeType && codec.payloadType === candidate.payloadType,
  );
}

function checkTransport(outline: ReturnType<typeof outlineSdp>): void {
  if (outline.media.length === 0)
    throw new CidcastError("INVALID_SDP", "the description has no media section");
  if (!outline.hasFingerprint) throw new CidcastError("INVALID_SDP", "the description has no fingerprint");
  if (!outline.hasIce) throw new CidcastError("INVALID_SDP", "the description has no ICE credentials");
}
