import { randomInt, randomUUID } from "node:crypto";
import type { BandwidthEstimator } from "../congestion/index.ts";
import {
  type Egress,
  type EgressLink,
  type EgressStream,
  History,
  historyPackets,
  LinkStats,
} from "../rtp/egress/index.ts";
import type { EgressPeer, NegotiatedStream, PeerTransport } from "../peer.ts";
import {
  compactNtp,
  type ReceiverReport,
  readRtcp,
  type RtcpHandlers,
  writeSenderReport,
} from "../rtp/rtcp/index.ts";
import { deriveKeys, isRtcp, SrtcpOpener, SrtcpSealer } from "../rtp/srtp/index.ts";
import { Redundancy } from "../rtp/packetise/index.ts";
import type { Pacer } from "../player/pacer.ts";
import type { HostTrack, LinkFigures } from "./messages.ts";
import { Resender, type ResendNow } from "./resender.ts";

/** How long sound carries its packet before along after random loss was seen last, ms. */
const REPEAT_SOUND_MS = 5000;
/** Time between two sender reports of a stream, ms. */
const REPORT_INTERVAL_MS = 1000;
export interface ViewerLinkInit {
  readonly egress: Egress;
  readonly peer: EgressPeer;
  readonly transport: PeerTransport;
  readonly tracks: readonly HostTrack[];
  readonly streamSeconds: (nowMs: number) => number;
  readonly onKeyframeRequest: () => void;
  readonly estimator: BandwidthEstimator;
  readonly pacer: Pacer;
  /** The probe that what leaves now belongs to; 0: none. */
  readonly cluster: () => number;
  /** True while pictures are given up. */
  readonly picturesPaused: () => boolean;
  /** A packet leaves. */
  readonly onSent: (bytes: number) => void;
  /** The first picture, or sound where there is none, has arrived whole, as the viewer's feedback says. */
  readonly onSeen: () => void;
}

interface Stream {
  readonly negotiated: NegotiatedStream;
  readonly kind: "video" | "audio";
  readonly main: EgressStream;
  readonly history: History | undefined;
  /** Sound whose packets can carry the one before along. */
  readonly red: Redundancy | undefined;
  readonly rtpBase: number;
}

/** A viewer's packets both ways: RTP out, its reports in, what is lost sent again. */
export class ViewerLink {
  started = false;
  readonly #init: ViewerLinkInit;
  readonly #link: EgressLink;
  readonly #streams: (Stream | undefined)[] = [];
  readonly #stats: LinkStats;
  readonly #estimator: BandwidthEstimator;
  readonly #resender: Resender;
  readonly #opener: SrtcpOpener;
  readonly #sealer: SrtcpSealer;
  readonly #handlers: RtcpHandlers;
  readonly #resendNow: { -readonly [K in keyof ResendNow]: ResendNow[K] } = {
    nowMs: 0,
    packetsSent: 0,
    roundTripMs: undefined,
  };
  readonly #cname = randomUUID();
  #host: string;
  #port: number;
  #maySend = true;
  /** Transport-wide number of the packet that left last. */
  #lastSequence = -1;
  /** That of the end of the first picture; -1 once it has arrived. */
  #awaited: number | undefined;
  #nextReportMs = Number.NEGATIVE_INFINITY;
  #repeatSoundUntilMs = Number.NEGATIVE_INFINITY;
  #repeatsSound = false;
  /** Packets of sound that carried the one before along. */
  #repeated = 0;
  #reportedMs = performance.now();
  #bytesAtReport = 0;

  constructor(init: ViewerLinkInit) {
    this.#init = init;
    const { transport, egress } = init;
    const now = performance.now();
    const { estimator } = init;
    this.#estimator = estimator;
    this.#stats = new LinkStats(now);
    this.#link = egress.link({
      host: transport.host,
      port: transport.port,
      keys: deriveKeys(transport.send, "rtp"),
      onSent: (sequence, bytes) => {
        this.#stats.onSent(sequence, bytes);
        this.#lastSequence = sequence;
        init.onSent(bytes);
        estimator.onSent(sequence, bytes, performance.now(), init.cluster());
      },
    });
    this.#host = transport.host;
    this.#port = transport.port;
    this.#sealer = new SrtcpSealer(deriveKeys(transport.send, "rtcp"));
    this.#opener = new SrtcpOpener(deriveKeys(transport.receive, "rtcp"));
    this.#resender = new Resender({
      pacer: init.pacer,
      lastSequence: () => this.#lastSequence,
      copies: nowMs => estimator.copiesOfLost(nowMs),
      isOfUse: () => !init.picturesPaused(),
    });
    for (const track of init.tracks) this.addTrack(track);
    this.#handlers = {
      onFeedbackBegin: () => this.#estimator.onFeedbackBegin(performance.now()),
      onArrival: (sequence, at) => {
        this.#stats.onArrival(sequence, at !== undefined);
        if (sequence === this.#awaited && at !== undefined) this.#seen();
        this.#estimator.onArrival(sequence, at);
        if (at === undefined && this.#maySend) this.#resender.onLost(sequence, this.#now());
      },
      onFeedbackEnd: () => {
        this.#stats.onFeedbackEnd(performance.now());
        this.#estimator.onFeedbackEnd();
      },
      onRemb: bps => this.#estimator.onRemb(bps, performance.now()),
      onNack: (ssrc, sequence) => this.#resend(ssrc, sequence),
      onKeyframeRequest: ssrc => this.#onKeyframeRequest(ssrc),
      onReport: report => this.#onReport(report),
    };
  }

  /** Opens the stream of one more track, when the viewer takes it. */
  addTrack(track: HostTrack): void {
    const found = this.#init.peer.streams().find(stream => stream.track === this.#streams.length);
    this.#streams.push(found === undefined ? undefined : this.#open(found, track));
  }

  /** False for a track that the viewer does not take. */
  takes(track: number): boolean {
    return this.#streams[track] !== undefined;
  }

  /** False while the viewer's consent is lost. */
  get maySend(): boolean {
    return this.#maySend;
  }

  get estimator(): BandwidthEstimator {
    return this.#estimator;
  }

  get roundTripMs(): number | undefined {
    return this.#stats.roundTripMs ?? this.#init.peer.path()?.roundTripMs;
  }

  get jitterMs(): number | undefined {
    return this.#stats.jitterMs;
  }

  /** True when there is something to fill the path with. */
  get canPad(): boolean {
    return this.#maySend && this.#resender.canPad;
  }

  /** Sends about so many bytes of what the viewer has already; false when there are none. */
  pad(bytes: number): boolean {
    return this.#maySend && this.#resender.pad(bytes);
  }

  /** True while something waits to be sent again. */
  get isResending(): boolean {
    return this.#resender.isBusy;
  }

  /** What the viewer asked for again and the pace held back. */
  drain(nowMs: number): void {
    if (this.#maySend) this.#resender.drain(nowMs);
  }

  setPath(path: { readonly host: string; readonly port: number } | undefined): void {
    this.#maySend = path !== undefined;
    if (path === undefined) return;
    const { host, port } = path;
    if (port === this.#port && host === this.#host) return;
    this.#host = host;
    this.#port = port;
    this.#link.setRemote(host, port);
  }

  /** The RTP time of pictures at a stream time; undefined without pictures. */
  pictureTime(streamSeconds: number): number | undefined {
    const stream = this.#streams.find(each => each?.kind === "video");
    return stream === undefined ? undefined : this.#timestamp(stream, streamSeconds);
  }

  send(track: number, payload: Buffer, streamSeconds: number, marker: boolean): void {
    const stream = this.#streams[track];
    if (stream === undefined || !this.#maySend) return;
    const timestamp = this.#timestamp(stream, streamSeconds);
    stream.history?.add(stream.main.sequence, payload, timestamp, marker);
    const { main, red, negotiated } = stream;
    const { sequence } = main;
    // Sound has no retransmission: on a path that loses at random each packet brings the one before along.
    const both = this.#repeatsSound ? red?.wrap(payload, timestamp) : undefined;
    if (red !== undefined) main.payloadType = both === undefined ? negotiated.payloadType : red.payloadType;
    if (both !== undefined) this.#repeated++;
    main.send(both ?? payload, timestamp, marker);
    red?.note(payload, timestamp);
    this.#resender.onSent(main.ssrc, sequence);
    if (this.#awaited === undefined && (marker || !this.#hasPictures)) this.#awaited = this.#lastSequence;
  }

  get #hasPictures(): boolean {
    return this.#streams.some(stream => stream?.kind === "video");
  }

  #seen(): void {
    this.#awaited = -1;
    this.#init.onSeen();
  }

  /** SRTP or SRTCP from the viewer. */
  receive(datagram: Buffer): void {
    if (!isRtcp(datagram)) return;
    const compound = this.#opener.open(datagram);
    if (compound !== undefined) readRtcp(compound, this.#handlers);
  }

  /** Sends sender reports when it is time: all streams name the same moment of the media clock. */
  report(nowMs: number): void {
    if (!this.started || nowMs < this.#nextReportMs) return;
    this.#nextReportMs = nowMs + REPORT_INTERVAL_MS;
    if (this.#estimator.copiesOfLost(nowMs) > 1) this.#repeatSoundUntilMs = nowMs + REPEAT_SOUND_MS;
    this.#repeatsSound = nowMs < this.#repeatSoundUntilMs;
    const wallMs = Date.now();
    const seconds = this.#init.streamSeconds(nowMs);
    for (const stream of this.#streams) {
      if (stream === undefined) continue;
      const report = writeSenderReport({
        ssrc: stream.negotiated.ssrc,
        wallMs,
        rtpTimestamp: this.#timestamp(stream, seconds),
        packets: stream.main.packets,
        octets: stream.main.octets,
        cname: this.#cname,
      });
      this.#init.peer.sendRtcp(this.#sealer.seal(report));
    }
  }

  figures(): LinkFigures {
    const stats = this.#stats;
    return {
      bytesSent: stats.bytesSent,
      packetsSent: stats.packetsSent,
      retransmitted: this.#resender.count,
      soundRepeated: this.#repeated,
      nacks: stats.nacks,
      keyframeRequests: stats.keyframeRequests,
      roundTripMs: this.roundTripMs,
      jitterMs: stats.jitterMs,
      packetLoss: stats.packetLoss,
      receivedBps: stats.receivedBps,
      estimateBps: this.#estimator.cause === "start" ? undefined : this.#estimator.estimateBps,
      estimateCause: this.#estimator.cause,
      queueMs: this.#estimator.queueMs,
      limitBps: this.#estimator.limitBps(performance.now()),
      streams: this.#streams.filter(stream => stream !== undefined).length,
    };
  }

  close(): void {
    this.#link.close();
    this.#resender.close();
  }

  #open(negotiated: NegotiatedStream, track: HostTrack): Stream {
    const { mid, twccId, ssrc, payloadType, rtx } = negotiated;
    const common = { mid, twccId };
    const main = this.#link.stream({ ...common, ssrc, payloadType });
    const history = rtx === undefined ? undefined : new History(historyPackets(track.bitrateBps));
    if (rtx !== undefined && history !== undefined) {
      this.#resender.add({ ssrc, main, rtx: this.#link.stream({ ...common, ...rtx }), history });
    }
    const { redPayloadType } = negotiated;
    const red =
      redPayloadType === undefined
        ? undefined
        : new Redundancy({ payloadType: redPayloadType, primary: payloadType });
    return { negotiated, kind: track.kind, main, history, red, rtpBase: randomInt(2 ** 31) };
  }

  #timestamp(stream: Stream, seconds: number): number {
    return (stream.rtpBase + Math.round(seconds * stream.negotiated.clockRate)) >>> 0;
  }

  #resend(ssrc: number, sequence: number): void {
    if (this.#maySend && this.#resender.ask(ssrc, sequence, this.#now())) this.#stats.nacks++;
  }

  /** One object, filled in anew. */
  #now(): ResendNow {
    this.#resendNow.nowMs = performance.now();
    this.#resendNow.packetsSent = this.#stats.packetsSent;
    this.#resendNow.roundTripMs = this.#stats.roundTripMs;
    return this.#resendNow;
  }

  #onKeyframeRequest(ssrc: number): void {
    if (!this.#streams.some(stream => stream?.kind === "video" && stream.negotiated.ssrc === ssrc)) return;
    this.#stats.keyframeRequests++;
    this.#init.onKeyframeRequest();
  }

  /** Counts where the viewer sends no transport-wide feedback. */
  #weighLoss(share: number): void {
    const now = performance.now();
    const { bytesSent } = this.#stats;
    const seconds = (now - this.#reportedMs) / 1000;
    const sentBps = ((bytesSent - this.#bytesAtReport) * 8) / Math.max(seconds, 0.1);
    this.#reportedMs = now;
    this.#bytesAtReport = bytesSent;
    this.#estimator.onReportedLoss(share, sentBps, now);
  }

  #onReport(report: ReceiverReport): void {
    const stream = this.#streams.find(candidate => candidate?.negotiated.ssrc === report.ssrc);
    if (stream === undefined) return;
    const leading = this.#streams.find(candidate => candidate?.kind === "video") ?? stream;
    if (stream === leading) this.#weighLoss(report.fractionLost);
    if (stream === leading) this.#stats.jitterMs = (report.jitter / stream.negotiated.clockRate) * 1000;
    if (report.lastSenderReport === 0) return;
    // RFC 3550 6.4.1: A - LSR - DLSR, in 1/65536 s.
    const units = (compactNtp(Date.now()) - report.lastSenderReport - report.delaySinceLast) | 0;
    this.#stats.onRoundTrip((units / 65_536) * 1000);
  }
}
