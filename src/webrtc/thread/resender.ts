import type { EgressStream, History } from "../rtp/egress/index.ts";
import type { Pacer } from "../player/pacer.ts";

/** Shortest time in which a lost packet is sent again once only, ms: feedback comes every 50 to 100. */
const MIN_RESEND_MS = 20;
/** Stands in for the round trip before one is measured, ms. */
const UNKNOWN_ROUND_TRIP_MS = 100;
/** Retransmission may take this share of what was sent in the last second; a keyframe is cheaper than more. */
const RESEND_SHARE = 0.5;
/** Packets that may be sent again each second whatever was sent. */
const RESEND_FLOOR = 100;
/** Packets that wait for the pace: what does not fit is asked for again. */
export const MAX_WAITING_RESENDS = 256;
/** Of the newest packets, those that fill a path: so many back. */
const PAD_BACK = 24;
/** Smaller ones would cost more packets than they fill, bytes. */
const PAD_LEAST_BYTES = 200;

/** A stream that can be sent again. */
export interface ResentStream {
  readonly ssrc: number;
  readonly main: EgressStream;
  readonly rtx: EgressStream;
  readonly history: History;
}

/** What a viewer has lost is sent again, at its pace and once per round trip; and what fills a path for a probe. */
export class Resender {
  readonly #streams: ResentStream[] = [];
  readonly #pacer: Pacer;
  readonly #waitingStream = new Uint8Array(MAX_WAITING_RESENDS);
  readonly #waitingSequence = new Uint16Array(MAX_WAITING_RESENDS);
  #from = 0;
  #waiting = 0;
  #resent = 0;
  #sentAtWindow = 0;
  #windowMs = 0;
  #padAt = 0;
  /** Packets sent again. */
  count = 0;

  constructor(pacer: Pacer) {
    this.#pacer = pacer;
  }

  /** One more stream that can be sent again. */
  add(stream: ResentStream): void {
    this.#streams.push(stream);
  }

  /** True when there is something to fill a path with. */
  get canPad(): boolean {
    return this.#streams.some(({ main }) => main.packets > 0);
  }

  /** The viewer misses a packet. False when no such stream can be sent again. */
  ask(
    ssrc: number,
    sequence: number,
    now: { readonly nowMs: number; readonly packetsSent: number; readonly roundTripMs: number | undefined },
  ): boolean {
    const place = this.#streams.findIndex(stream => stream.ssrc === ssrc);
    const stream = this.#streams[place];
    if (stream === undefined) return false;
    const { nowMs, packetsSent, roundTripMs } = now;
    if (nowMs - this.#windowMs >= 1000) {
      this.#windowMs = nowMs;
      this.#resent = 0;
      this.#sentAtWindow = packetsSent;
    }
    if (this.#resent >= RESEND_FLOOR + (packetsSent - this.#sentAtWindow) * RESEND_SHARE) return true;
    if (this.#waiting >= MAX_WAITING_RESENDS) return true;
    const withinMs = Math.max(MIN_RESEND_MS, roundTripMs ?? UNKNOWN_ROUND_TRIP_MS);
    if (!stream.history.claim(sequence, nowMs, withinMs)) return true;
    this.#resent++;
    const at = (this.#from + this.#waiting) % MAX_WAITING_RESENDS;
    this.#waitingStream[at] = place;
    this.#waitingSequence[at] = sequence;
    this.#waiting++;
    this.drain();
    return true;
  }

  /** Sends what waits, as far as the pace allows. */
  drain(): void {
    while (this.#waiting > 0 && this.#pacer.mayCarryOn) {
      const stream = this.#streams[this.#waitingStream[this.#from] ?? 0];
      const sequence = this.#waitingSequence[this.#from] ?? 0;
      this.#from = (this.#from + 1) % MAX_WAITING_RESENDS;
      this.#waiting--;
      const packet = stream?.history.get(sequence);
      if (stream === undefined || packet === undefined) continue;
      this.count++;
      this.#pacer.spend(packet.payload.length);
      stream.rtx.send(packet.payload, packet.timestamp, packet.marker, sequence);
    }
  }

  /** Sends about so many bytes of what the viewer has already; false when there are none. */
  pad(bytes: number): boolean {
    let left = bytes;
    for (let tries = 0; left > 0 && tries < 2 * PAD_BACK; tries++) {
      this.#padAt = (this.#padAt + 1) % PAD_BACK;
      for (const { main, rtx, history } of this.#streams) {
        const sequence = (main.sequence - 1 - this.#padAt) & 0xffff;
        const packet = history.get(sequence);
        if (packet === undefined || packet.payload.length < PAD_LEAST_BYTES) continue;
        rtx.send(packet.payload, packet.timestamp, packet.marker, sequence);
        left -= packet.payload.length;
        break;
      }
    }
    return left < bytes;
  }

  close(): void {
    this.#waiting = 0;
    for (const { history } of this.#streams) history.clear();
  }
}
