import { randomInt, randomUUID } from "node:crypto";
import { BandwidthEstimator } from "../congestion/index.ts";
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
import type { HostTrack, SessionStats } from "./messages.ts";

/** Time between two sender reports of a stream, ms. */
const REPORT_INTERVAL_MS = 1000;
/** Shortest time in which a lost packet is sent again once only, ms: feedback comes every 50 to 100. */
const MIN_RESEND_MS = 20;
/** Stands in for the round trip before one is measured, ms. */
const UNKNOWN_ROUND_TRIP_MS = 100;
/** Retransmission may take this share of what was sent in the last second; a keyframe is cheaper than more. */
const RESEND_SHARE = 0.5;
/** Packets that may be sent again each second whatever was sent. */
const RESEND_FLOOR = 100;

export interface ViewerLinkInit {
  readonly egress: Egress;
  readonly peer: EgressPeer;
  readonly transport: PeerTransport;
  readonly tracks: readonly HostTrack[];
  readonly streamSeconds: (nowMs: number) => number;
  readonly onKeyframeRequest: () => void;
}

interface Stream {
  readonly negotiated: NegotiatedStream;
  readonly kind: "video" | "audio";
  readonly main: EgressStream;
  readonly rtx: EgressStream | undefined;
  readonly history: History | undefined;
  readonly rtpBase: number;
}

/** A viewer's packets both ways: RTP out, its reports in, what is lost sent again. */
export class ViewerLink {
  started = false;
  readonly #init: ViewerLinkInit;
  readonly #link: EgressLink;
  readonly #streams: (Stream | undefined)[] = [];
  readonly #stats: LinkStats;
  readonly #estimator = new BandwidthEstimator();
  readonly #opener: SrtcpOpener;
  readonly #sealer: SrtcpSealer;
  readonly #handlers: RtcpHandlers;
  readonly #cname = randomUUID();
  #remote: string;
  #maySend = true;
  #nextReportMs = Number.NEGATIVE_INFINITY;
  #reportedMs = performance.now();
  #bytesAtReport = 0;
  #resent = 0;
  #sentAtWindow = 0;
  #windowMs = 0;

  constructor(init: ViewerLinkInit) {
    this.#init = init;
    const { transport, egress } = init;
    const now = performance.now();
    this.#stats = new LinkStats(now);
    this.#link = egress.link({
      host: transport.host,
      port: transport.port,
      keys: deriveKeys(transport.send, "rtp"),
      onSent: (sequence, bytes) => {
        this.#stats.onSent(sequence, bytes);
        this.#estimator.onSent(sequence, bytes, performance.now());
      },
    });
    this.#remote = `${transport.host}:${transport.port}`;
    this.#sealer = new SrtcpSealer(deriveKeys(transport.send, "rtcp"));
    this.#opener = new SrtcpOpener(deriveKeys(transport.receive, "rtcp"));
    for (const track of init.tracks) this.addTrack(track);
    this.#handlers = {
      onFeedbackBegin: () => this.#estimator.onFeedbackBegin(performance.now()),
      onArrival: (sequence, at) => {
        this.#stats.onArrival(sequence, at !== undefined);
        this.#estimator.onArrival(sequence, at);
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

  /** The rate to stay under, bits per second, while the path is the limit. */
  limitBps(nowMs: number): number | undefined {
    return this.#estimator.limitBps(nowMs);
  }

  setPath(path: { readonly host: string; readonly port: number } | undefined): void {
    this.#maySend = path !== undefined;
    if (path === undefined) return;
    const remote = `${path.host}:${path.port}`;
    if (remote === this.#remote) return;
    this.#remote = remote;
    this.#link.setRemote(path.host, path.port);
  }

  send(track: number, payload: Buffer, streamSeconds: number, marker: boolean): void {
    const stream = this.#streams[track];
    if (stream === undefined || !this.#maySend) return;
    const timestamp = this.#timestamp(stream, streamSeconds);
    stream.history?.add(stream.main.sequence, payload, timestamp, marker);
    stream.main.send(payload, timestamp, marker);
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

  figures(): Omit<
    SessionStats,
    "playback" | "iceState" | "connected" | "framesSent" | "framesLate" | "framesSkipped" | "bufferedSeconds"
  > {
    const stats = this.#stats;
    return {
      bytesSent: stats.bytesSent,
      packetsSent: stats.packetsSent,
      retransmitted: stats.retransmitted,
      nacks: stats.nacks,
      keyframeRequests: stats.keyframeRequests,
      roundTripMs: stats.roundTripMs ?? this.#init.peer.path()?.roundTripMs,
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
    for (const stream of this.#streams) stream?.history?.clear();
  }

  #open(negotiated: NegotiatedStream, track: HostTrack): Stream {
    const { mid, twccId, ssrc, payloadType, rtx } = negotiated;
    const common = { mid, twccId };
    return {
      negotiated,
      kind: track.kind,
      main: this.#link.stream({ ...common, ssrc, payloadType }),
      rtx: rtx === undefined ? undefined : this.#link.stream({ ...common, ...rtx }),
      history: rtx === undefined ? undefined : new History(historyPackets(track.bitrateBps)),
      rtpBase: randomInt(2 ** 31),
    };
  }

  #timestamp(stream: Stream, seconds: number): number {
    return (stream.rtpBase + Math.round(seconds * stream.negotiated.clockRate)) >>> 0;
  }

  #resend(ssrc: number, sequence: number): void {
    const stream = this.#streams.find(candidate => candidate?.negotiated.ssrc === ssrc);
    if (stream?.rtx === undefined || stream.history === undefined || !this.#maySend) return;
    this.#stats.nacks++;
    const now = performance.now();
    if (now - this.#windowMs >= 1000) {
      this.#windowMs = now;
      this.#resent = 0;
      this.#sentAtWindow = this.#stats.packetsSent;
    }
    const sent = this.#stats.packetsSent - this.#sentAtWindow;
    if (this.#resent >= RESEND_FLOOR + sent * RESEND_SHARE) return;
    const within = Math.max(MIN_RESEND_MS, this.#stats.roundTripMs ?? UNKNOWN_ROUND_TRIP_MS);
    const packet = stream.history.take(sequence, now, within);
    if (packet === undefined) return;
    this.#resent++;
    this.#stats.retransmitted++;
    stream.rtx.send(packet.payload, packet.timestamp, packet.marker, sequence);
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
