/** How often a browser looks what it still misses, ms. @see libwebrtc's NackRequester */
const ASK_INTERVAL_MS = 20;
/** What it takes a round trip for where nothing tells it, ms. */
const ROUND_TRIP_MS = 100;
const MAX_ASKED = 10;
/** Of so many packets that others overtook it keeps by how many: it waits for the middle of them before it asks. */
const OVERTAKEN = 64;
/** After so long without a whole picture it asks for a keyframe, ms. */
const STARVED_MS = 3000;

/** What the viewer learns of a packet of pictures. */
export interface PicturePacket {
  readonly sequence: number;
  /** First, and last, of its picture. */
  readonly first: boolean;
  readonly marker: boolean;
  readonly key: boolean;
}

export interface ReceiverInit {
  /** Asks for what is missing; called when the viewer sends. */
  readonly ask: (sequences: readonly number[], nowMs: number) => void;
  readonly askForKeyframe: (nowMs: number) => void;
}

interface Missing {
  askedMs: number;
  times: number;
}

/**
 * A browser's receiving side in virtual time: it asks again for what is missing, and shows a picture once it is whole and
 * those before it were shown, or when it is a keyframe.
 */
export class Receiver {
  /** When pictures were shown, ms. */
  readonly shown: number[] = [];
  asked = 0;
  keyframeRequests = 0;
  readonly #init: ReceiverInit;
  readonly #packets = new Map<number, PicturePacket>();
  readonly #missing = new Map<number, Missing>();
  readonly #overtaken: number[] = [];
  #newest: number | undefined;
  #next: number | undefined;
  #lookMs = 0;
  #starvedMs = 0;

  constructor(init: ReceiverInit) {
    this.#init = init;
  }

  onPacket(packet: PicturePacket, nowMs: number): void {
    const { sequence } = packet;
    if (this.#packets.has(sequence)) return;
    this.#packets.set(sequence, packet);
    const newest = this.#newest ?? sequence;
    if (this.#missing.get(sequence)?.times === 0) {
      this.#overtaken.push(newest - sequence);
      if (this.#overtaken.length > OVERTAKEN) this.#overtaken.shift();
    }
    this.#missing.delete(sequence);
    for (let lost = newest + 1; lost < sequence; lost++)
      this.#missing.set(lost, { askedMs: nowMs, times: 0 });
    this.#newest = Math.max(newest, sequence);
    this.#askFirst(nowMs);
    this.#show(packet, nowMs);
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    if (nowMs < this.#lookMs) return;
    this.#lookMs = nowMs + ASK_INTERVAL_MS;
    const again: number[] = [];
    for (const [sequence, missing] of this.#missing) {
      if (missing.times === 0 || nowMs - missing.askedMs < ROUND_TRIP_MS) continue;
      if (missing.times >= MAX_ASKED) {
        this.#missing.delete(sequence);
        continue;
      }
      missing.times++;
      missing.askedMs = nowMs;
      again.push(sequence);
    }
    this.#ask(again, nowMs);
    const sinceMs = Math.max(this.shown.at(-1) ?? 0, this.#starvedMs);
    if (nowMs - sinceMs < STARVED_MS || this.#newest === undefined) return;
    this.#starvedMs = nowMs;
    this.keyframeRequests++;
    this.#init.askForKeyframe(nowMs);
  }

  /** Asks for what has been overtaken by more than usual. */
  #askFirst(nowMs: number): void {
    const waits = this.#overtaken.toSorted((a, b) => a - b)[this.#overtaken.length >> 1] ?? 0;
    const first: number[] = [];
    for (const [sequence, missing] of this.#missing) {
      if (missing.times > 0 || (this.#newest ?? 0) - sequence < waits) continue;
      missing.times = 1;
      missing.askedMs = nowMs;
      first.push(sequence);
    }
    this.#ask(first, nowMs);
  }

  #ask(sequences: readonly number[], nowMs: number): void {
    if (sequences.length === 0) return;
    this.asked += sequences.length;
    this.#init.ask(sequences, nowMs);
  }

  #show(packet: PicturePacket, nowMs: number): void {
    if (packet.key) {
      // A whole keyframe needs nothing before it.
      const from = this.#beginOf(packet.sequence);
      const last = from === undefined ? undefined : this.#endOf(from);
      if (from !== undefined && last !== undefined && from >= (this.#next ?? from)) this.#next = from;
    }
    for (let from = this.#next; from !== undefined; from = this.#next) {
      const last = this.#endOf(from);
      if (last === undefined) return;
      this.#next = last + 1;
      this.shown.push(nowMs);
      for (const sequence of this.#missing.keys()) if (sequence <= last) this.#missing.delete(sequence);
    }
  }

  /** Where the picture begins that a packet belongs to; undefined when something is missing before it. */
  #beginOf(sequence: number): number | undefined {
    for (let at = sequence; ; at--) {
      const packet = this.#packets.get(at);
      if (packet === undefined) return undefined;
      if (packet.first) return at;
    }
  }

  /** Last packet of the picture that begins there; undefined while it is not whole. */
  #endOf(from: number): number | undefined {
    for (let at = from; ; at++) {
      const packet = this.#packets.get(at);
      if (packet === undefined) return undefined;
      if (packet.marker) return at;
    }
  }
}
