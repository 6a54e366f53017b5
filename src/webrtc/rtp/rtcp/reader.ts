import { type OnArrival, readTransportFeedback } from "./twcc.ts";

/** What a receiver report says of one of our streams. */
export interface ReceiverReport {
  readonly ssrc: number;
  /** 0 to 1, since the last report. */
  readonly fractionLost: number;
  readonly cumulativeLost: number;
  /** In the stream's clock rate. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the sender report answered; 0: none yet. */
  readonly lastSenderReport: number;
  /** Units of 1/65536 s. */
  readonly delaySinceLast: number;
}

/** What to call for each kind of feedback. */
export interface RtcpHandlers {
  /** Transport-wide feedback begins; its packets follow. */
  readonly onFeedbackBegin?: () => void;
  readonly onArrival?: OnArrival;
  readonly onFeedbackEnd?: () => void;
  readonly onNack?: (ssrc: number, sequence: number) => void;
  readonly onKeyframeRequest?: (ssrc: number) => void;
  /** Receiver estimated maximum bitrate, bits per second. */
  readonly onRemb?: (bps: number) => void;
  readonly onReport?: (report: ReceiverReport) => void;
  readonly onBye?: () => void;
}

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const BYE = 203;
const TRANSPORT_FEEDBACK = 205;
const PAYLOAD_FEEDBACK = 206;
const NACK = 1;
const TRANSPORT_WIDE = 15;
const PLI = 1;
const FIR = 4;
const APPLICATION = 15;
const REMB = 0x52454d42;
const REPORT_BYTES = 24;

/** Walks a compound RTCP packet; what is malformed ends the walk. */
export function readRtcp(compound: Buffer, handlers: RtcpHandlers): void {
  let at = 0;
  while (at + 8 <= compound.length) {
    const bytes = (compound.readUInt16BE(at + 2) + 1) * 4;
    if (bytes < 8 || at + bytes > compound.length) return;
    readOne(compound.subarray(at, at + bytes), handlers);
    at += bytes;
  }
}

function readOne(packet: Buffer, handlers: RtcpHandlers): void {
  const format = (packet[0] ?? 0) & 31;
  const body = packet.subarray(8);
  switch (packet[1]) {
    case SENDER_REPORT:
      readReports(body.subarray(20), format, handlers);
      return;
    case RECEIVER_REPORT:
      readReports(body, format, handlers);
      return;
    case TRANSPORT_FEEDBACK:
      if (format === NACK) readNack(body, handlers);
      else if (format === TRANSPORT_WIDE && handlers.onArrival !== undefined) {
        handlers.onFeedbackBegin?.();
        readTransportFeedback(body.subarray(4), handlers.onArrival);
        handlers.onFeedbackEnd?.();
      }
      return;
    case PAYLOAD_FEEDBACK:
      if (format === PLI && body.length >= 4) handlers.onKeyframeRequest?.(body.readUInt32BE(0));
      else if (format === FIR) {
        for (let at = 4; at + 8 <= body.length; at += 8) handlers.onKeyframeRequest?.(body.readUInt32BE(at));
      } else if (format === APPLICATION) readRemb(body, handlers);
      return;
    case BYE:
      handlers.onBye?.();
      return;
    default:
  }
}

function readNack(body: Buffer, { onNack }: RtcpHandlers): void {
  if (onNack === undefined || body.length < 8) return;
  const ssrc = body.readUInt32BE(0);
  for (let at = 4; at + 4 <= body.length; at += 4) {
    const first = body.readUInt16BE(at);
    onNack(ssrc, first);
    const mask = body.readUInt16BE(at + 2);
    for (let bit = 0; bit < 16; bit++) {
      if ((mask >>> bit) & 1) onNack(ssrc, (first + bit + 1) & 0xffff);
    }
  }
}

/** @see https://datatracker.ietf.org/doc/html/draft-alvestrand-rmcat-remb-03#section-2.2 */
function readRemb(body: Buffer, { onRemb }: RtcpHandlers): void {
  if (onRemb === undefined || body.length < 12 || body.readUInt32BE(4) !== REMB) return;
  const word = body.readUInt32BE(8) & 0xff_ffff;
  onRemb((word & 0x3_ffff) * 2 ** (word >>> 18));
}

function readReports(body: Buffer, count: number, { onReport }: RtcpHandlers): void {
  if (onReport === undefined) return;
  for (let i = 0; i < count && (i + 1) * REPORT_BYTES <= body.length; i++) {
    const at = i * REPORT_BYTES;
    onReport({
      ssrc: body.readUInt32BE(at),
      fractionLost: (body[at + 4] ?? 0) / 256,
      cumulativeLost: body.readIntBE(at + 5, 3),
      jitter: body.readUInt32BE(at + 12),
      lastSenderReport: body.readUInt32BE(at + 16),
      delaySinceLast: body.readUInt32BE(at + 20),
    });
  }
}
