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

/** How much later than the one before another copy leaves, ms: what takes one in a burst leaves the other. */
const SECOND_AFTER_MS = 10;
/** Packets under way that are known by their transport-wide number: some seconds' worth. */
const TRACKED = 4096;
/** Ages that packets are asked for at: whatever their age, but only once. */
const EVER_MS = Number.POSITIVE_INFINITY;

/** A stream that can be sent again. */
export interface ResentStream {
  readonly ssrc: number;
  readonly main: EgressStream;
  readonly rtx: EgressStream;
  readonly history: History;
}

export interface ResenderInit {
  readonly pacer: Pacer;
  /** Transport-wide number of the packet that left last. */
  readonly lastSequence: () => number;
  /** Copies of a lost packet: more than one on a path that loses at random, where a lost copy costs a freeze. */
  readonly copies: (nowMs: number) => number;
  /** False while pictures are given up: what was lost of them is of no use, and sound needs the room. */
  readonly isOfUse: () => boolean;
}

/** What is known at a moment. */
export interface ResendNow {
  readonly nowMs: number;
  readonly packetsSent: number;
  readonly roundTripMs: number | undefined;
}

/**
 * What a viewer has lost is sent again, at its pace and once per round trip; and what fills a path for a probe. What is lost is
 * known from the viewer's requests, and from its transport-wide feedback: that tells also of a second copy that was lost, which a
 * viewer asks for only much later.
 */
export class Resender {
  readonly #streams: ResentStream[] = [];
  readonly #pacer: Pacer;
  readonly #waitingStream = new Uint8Array(MAX_WAITING_RESENDS);
  readonly #waitingSequence = new Uint16Array(MAX_WAITING_RESENDS);
  #from = 0;
  #waiting = 0;
  /** Further copies, by the time when they leave. */
  readonly #secondStream = new Uint8Array(MAX_WAITING_RESENDS);
  readonly #secondSequence = new Uint16Array(MAX_WAITING_RESENDS);
  readonly #secondCopies = new Uint8Array(MAX_WAITING_RESENDS);
  readonly #secondAtMs = new Float64Array(MAX_WAITING_RESENDS);
  #secondFrom = 0;
  #seconds = 0;
  #resent = 0;
  #sentAtWindow = 0;
  #windowMs = 0;
  #padAt = 0;
  /** By transport-wide number: which one it was, 0 for none, of which stream, and whether it was a copy. */
  readonly #trackedAs = new Int32Array(TRACKED).fill(-1);
  readonly #trackedStream = new Uint8Array(TRACKED);
  readonly #trackedSequence = new Uint16Array(TRACKED);
  readonly #isCopy = new Uint8Array(TRACKED);
  readonly #lastSequence: () => number;
  readonly #isOfUse: () => boolean;
  readonly #copies: (nowMs: number) => number;
  /** Packets sent again. */
  count = 0;

  constructor({ pacer, lastSequence, copies, isOfUse }: ResenderInit) {
    this.#isOfUse = isOfUse;
    this.#pacer = pacer;
    this.#lastSequence = lastSequence;
    this.#copies = copies;
  }

  /** One more stream that can be sent again. */
  add(stream: ResentStream): void {
    this.#streams.push(stream);
  }

  /** True when there is something to fill a path with. */
  get canPad(): boolean {
    return this.#streams.some(({ main }) => main.packets > 0);
  }

  /** A packet of such a stream has left, for the first time. */
  onSent(ssrc: number, sequence: number): void {
    const place = this.#placeOf(ssrc);
    if (place >= 0) this.#track(place, sequence, 0);
  }

  /** The viewer's feedback misses what left under a transport-wide number. */
  onLost(transportSequence: number, now: ResendNow): void {
    const at = transportSequence % TRACKED;
    if (this.#trackedAs[at] !== transportSequence) return;
    this.#trackedAs[at] = -1;
    // One that it has asked for already is under way; of a lost copy it knows nothing.
    const withinMs = this.#isCopy[at] === 1 ? 0 : EVER_MS;
    this.#ask(this.#trackedStream[at] ?? 0, this.#trackedSequence[at] ?? 0, { ...now, withinMs });
  }

  /** The viewer misses a packet. False when no such stream can be sent again. */
  ask(ssrc: number, sequence: number, now: ResendNow): boolean {
    const place = this.#placeOf(ssrc);
    if (place < 0) return false;
    const withinMs = Math.max(MIN_RESEND_MS, now.roundTripMs ?? UNKNOWN_ROUND_TRIP_MS);
    this.#ask(place, sequence, { ...now, withinMs });
    return true;
  }

  #placeOf(ssrc: number): number {
    for (let place = 0; place < this.#streams.length; place++)
      if (this.#streams[place]?.ssrc === ssrc) return place;
    return -1;
  }

  #track(place: number, sequence: number, copy: number): void {
    const transportSequence = this.#lastSequence();
    const at = transportSequence % TRACKED;
    this.#trackedAs[at] = transportSequence;
    this.#trackedStream[at] = place;
    this.#trackedSequence[at] = sequence;
    this.#isCopy[at] = copy;
  }

  #ask(place: number, sequence: number, now: ResendNow & { readonly withinMs: number }): void {
    if (!this.#isOfUse()) return;
    const { nowMs, packetsSent, withinMs } = now;
    if (nowMs - this.#windowMs >= 1000) {
      this.#windowMs = nowMs;
      this.#resent = 0;
      this.#sentAtWindow = packetsSent;
    }
    if (this.#resent >= RESEND_FLOOR + (packetsSent - this.#sentAtWindow) * RESEND_SHARE) return;
    if (this.#waiting >= MAX_WAITING_RESENDS) return;
    if (this.#streams[place]?.history.claim(sequence, nowMs, withinMs) !== true) return;
    this.#resent++;
    const at = (this.#from + this.#waiting) % MAX_WAITING_RESENDS;
    this.#waitingStream[at] = place;
    this.#waitingSequence[at] = sequence;
    this.#waiting++;
    this.drain(nowMs);
    this.#repeat(place, sequence, { copies: this.#copies(nowMs) - 1, nowMs });
  }

  /** One more copy later, and so on. */
  #repeat(
    place: number,
    sequence: number,
    { copies, nowMs }: { readonly copies: number; readonly nowMs: number },
  ): void {
    if (copies <= 0 || this.#seconds >= MAX_WAITING_RESENDS) return;
    const second = (this.#secondFrom + this.#seconds) % MAX_WAITING_RESENDS;
    this.#secondStream[second] = place;
    this.#secondSequence[second] = sequence;
    this.#secondAtMs[second] = nowMs + SECOND_AFTER_MS;
    this.#secondCopies[second] = copies;
    this.#seconds++;
    this.#resent++;
  }

  /** True while something waits for the pace or for its time. */
  get isBusy(): boolean {
    return this.#waiting > 0 || this.#seconds > 0;
  }

  /** Sends what waits, as far as the pace allows. */
  drain(nowMs: number): void {
    if (!this.isBusy) return;
    if (!this.#isOfUse()) this.#waiting = this.#seconds = 0;
    while (this.#waiting > 0 && this.#pacer.mayCarryOn) {
      const at = this.#from;
      this.#from = (at + 1) % MAX_WAITING_RESENDS;
      this.#waiting--;
      this.#send(this.#waitingStream[at] ?? 0, this.#waitingSequence[at] ?? 0);
    }
    while (this.#seconds > 0 && this.#pacer.mayCarryOn) {
      const at = this.#secondFrom;
      if ((this.#secondAtMs[at] ?? 0) > nowMs) return;
      this.#secondFrom = (at + 1) % MAX_WAITING_RESENDS;
      this.#seconds--;
      const place = this.#secondStream[at] ?? 0;
      const sequence = this.#secondSequence[at] ?? 0;
      this.#send(place, sequence);
      this.#repeat(place, sequence, { copies: (this.#secondCopies[at] ?? 1) - 1, nowMs });
    }
  }

  #send(place: number, sequence: number): void {
    const stream = this.#streams[place];
    const packet = stream?.history.get(sequence);
    if (stream === undefined || packet === undefined) return;
    this.count++;
    this.#pacer.spend(packet.payload.length);
    stream.rtx.send(packet.payload, packet.timestamp, packet.marker, sequence);
    this.#track(place, sequence, 1);
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
    this.#waiting = this.#seconds = 0;
    for (const { history } of this.#streams) history.clear();
  }
}
