/** NAL unit types of H.264 (RFC 6184). */
const IDR = 5;
const STAP_A = 24;
const FU_A = 28;
const START_CODE = Buffer.from([0, 0, 0, 1]);

/** What is needed of an RTP packet. */
export interface RtpLike {
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Buffer;
}

/** Most packets of one picture that are waited for. */
const MAX_PACKETS = 4096;

/** Puts pictures of H.264 together from RTP until one is a whole keyframe. */
export class KeyframeCollector {
  #packets = new Map<number, RtpLike>();
  #timestamp: number | undefined;

  /** The first whole keyframe in Annex B; undefined until it is here. */
  push(packet: RtpLike): Buffer | undefined {
    if (packet.payload.byteLength === 0) return undefined;
    if (this.#timestamp !== packet.timestamp) {
      // Later pictures only: what is late of an earlier one completes nothing.
      const isLater = this.#timestamp === undefined || ((packet.timestamp - this.#timestamp) | 0) > 0;
      if (!isLater) return undefined;
      this.#timestamp = packet.timestamp;
      this.#packets = new Map();
    }
    if (this.#packets.size < MAX_PACKETS) this.#packets.set(packet.sequenceNumber, packet);
    return this.#complete();
  }

  #complete(): Buffer | undefined {
    const last = [...this.#packets.values()].find(({ marker }) => marker);
    if (last === undefined) return undefined;
    const packets: RtpLike[] = [];
    let at = last.sequenceNumber;
    for (let packet = this.#packets.get(at); packet !== undefined; packet = this.#packets.get(at)) {
      packets.unshift(packet);
      at = (at - 1) & 0xffff;
    }
    if (packets.length !== this.#packets.size) return undefined;
    return keyframeOf(packets.map(({ payload }) => payload));
  }
}

/** Annex B of a picture's packets; undefined when it is no keyframe, or its beginning is missing. */
function keyframeOf(payloads: readonly Buffer[]): Buffer | undefined {
  const units: Buffer[] = [];
  let fragments: Buffer[] | undefined;
  for (const payload of payloads) {
    const type = (payload[0] ?? 0) & 0x1f;
    if (type === STAP_A) {
      for (let at = 1; at + 2 <= payload.byteLength; ) {
        const size = payload.readUInt16BE(at);
        units.push(payload.subarray(at + 2, at + 2 + size));
        at += 2 + size;
      }
    } else if (type === FU_A) {
      const header = payload[1] ?? 0;
      if ((header & 0x80) !== 0) {
        fragments = [Buffer.from([((payload[0] ?? 0) & 0xe0) | (header & 0x1f)])];
      }
      if (fragments === undefined) return undefined;
      fragments.push(payload.subarray(2));
      if ((header & 0x40) !== 0) {
        units.push(Buffer.concat(fragments));
        fragments = undefined;
      }
    } else {
      units.push(payload);
    }
  }
  const isKeyframe = fragments === undefined && units.some(unit => ((unit[0] ?? 0) & 0x1f) === IDR);
  return isKeyframe ? Buffer.concat(units.flatMap(unit => [START_CODE, unit])) : undefined;
}
