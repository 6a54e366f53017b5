import { randomInt } from "node:crypto";
import type { StreamInit } from "./types.ts";

const FIXED_BYTES = 12;
const ONE_BYTE_PROFILE = 0xbede;

/** The RTP header of one stream: written once, only its changing fields afterwards. */
export class RtpHeader {
  readonly bytes: Buffer;
  readonly ssrc: number;
  sequence: number;
  /** Times the sequence number has wrapped. */
  rollovers = 0;
  packets = 0;
  octets = 0;
  readonly #twccAt: number;

  constructor(init: StreamInit) {
    const extensions: number[] = [];
    if (init.mid !== undefined) {
      const value = Buffer.from(init.mid.value);
      extensions.push((init.mid.id << 4) | (value.length - 1), ...value);
    }
    let twccAt = -1;
    if (init.twccId !== undefined) {
      twccAt = FIXED_BYTES + 4 + extensions.length + 1;
      extensions.push((init.twccId << 4) | 1, 0, 0);
    }
    while (extensions.length % 4 !== 0) extensions.push(0);
    const bytes = Buffer.alloc(FIXED_BYTES + (extensions.length > 0 ? 4 + extensions.length : 0));
    bytes[0] = extensions.length > 0 ? 0x90 : 0x80;
    bytes[1] = init.payloadType;
    bytes.writeUInt32BE(init.ssrc, 8);
    if (extensions.length > 0) {
      bytes.writeUInt16BE(ONE_BYTE_PROFILE, FIXED_BYTES);
      bytes.writeUInt16BE(extensions.length / 4, FIXED_BYTES + 2);
      bytes.set(extensions, FIXED_BYTES + 4);
    }
    this.bytes = bytes;
    this.ssrc = init.ssrc;
    this.sequence = init.firstSequence ?? randomInt(0x8000);
    this.#twccAt = twccAt;
  }

  get payloadType(): number {
    return (this.bytes[1] ?? 0) & 0x7f;
  }

  set payloadType(payloadType: number) {
    this.bytes[1] = payloadType;
  }

  /** Writes the fields of the next packet. */
  fill(timestamp: number, marker: boolean, transportSequence: number): void {
    const bytes = this.bytes;
    bytes[1] = ((bytes[1] ?? 0) & 0x7f) | (marker ? 0x80 : 0);
    bytes[2] = this.sequence >>> 8;
    bytes[3] = this.sequence;
    bytes[4] = timestamp >>> 24;
    bytes[5] = timestamp >>> 16;
    bytes[6] = timestamp >>> 8;
    bytes[7] = timestamp;
    if (this.#twccAt > 0) {
      bytes[this.#twccAt] = transportSequence >>> 8;
      bytes[this.#twccAt + 1] = transportSequence;
    }
  }

  /** Counts a packet as sent and goes on to the next number. */
  advance(payloadBytes: number): void {
    this.sequence = (this.sequence + 1) & 0xffff;
    if (this.sequence === 0) this.rollovers++;
    this.packets++;
    this.octets += payloadBytes;
  }
}
