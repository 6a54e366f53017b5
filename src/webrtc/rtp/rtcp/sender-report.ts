/** Seconds from 1900 to 1970. */
const NTP_EPOCH_SECONDS = 2_208_988_800;
const SENDER_REPORT = 200;
const SOURCE_DESCRIPTION = 202;
const CNAME = 1;

/** NTP time of a wall-clock time in milliseconds. */
export function ntpTime(wallMs: number): { readonly seconds: number; readonly fraction: number } {
  const seconds = Math.floor(wallMs / 1000);
  return {
    seconds: (seconds + NTP_EPOCH_SECONDS) >>> 0,
    fraction: Math.floor(((wallMs - seconds * 1000) / 1000) * 2 ** 32) >>> 0,
  };
}

/** The middle 32 bits of an NTP time, as receiver reports give them back. */
export function compactNtp(wallMs: number): number {
  const { seconds, fraction } = ntpTime(wallMs);
  return (((seconds & 0xffff) << 16) | (fraction >>> 16)) >>> 0;
}

/** What a sender report says. */
export interface SenderReportInit {
  readonly ssrc: number;
  /** The moment that `rtpTimestamp` names, wall clock in ms: the same for all streams of a viewer. */
  readonly wallMs: number;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly octets: number;
  /** Joins streams of one clock. */
  readonly cname: string;
}

/** Sender report and source description as one compound packet. @see https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1 */
export function writeSenderReport(init: SenderReportInit): Buffer {
  const cname = Buffer.from(init.cname);
  // Chunk: SSRC, CNAME item, at least one zero to end the list, padded to 32 bits.
  const chunkBytes = Math.ceil((4 + 2 + cname.length + 1) / 4) * 4;
  const out = Buffer.alloc(28 + 4 + chunkBytes);
  const { seconds, fraction } = ntpTime(init.wallMs);
  out[0] = 0x80;
  out[1] = SENDER_REPORT;
  out.writeUInt16BE(6, 2);
  out.writeUInt32BE(init.ssrc, 4);
  out.writeUInt32BE(seconds, 8);
  out.writeUInt32BE(fraction, 12);
  out.writeUInt32BE(init.rtpTimestamp >>> 0, 16);
  out.writeUInt32BE(init.packets >>> 0, 20);
  out.writeUInt32BE(init.octets >>> 0, 24);
  out[28] = 0x81;
  out[29] = SOURCE_DESCRIPTION;
  out.writeUInt16BE(chunkBytes / 4, 30);
  out.writeUInt32BE(init.ssrc, 32);
  out[36] = CNAME;
  out[37] = cname.length;
  cname.copy(out, 38);
  return out;
}
