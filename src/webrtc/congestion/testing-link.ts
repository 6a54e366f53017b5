/** How a simulated path behaves at a time, ms. */
export interface PathInit {
  readonly capacityBps: (nowMs: number) => number;
  readonly delayMs?: number;
  /** How much longer than its arrival the viewer takes to see a packet, ms. */
  readonly stallMs?: (arrivedMs: number) => number;
  /** Most that may wait in the bottleneck, ms. */
  readonly queueLimitMs?: number;
  /** True when a packet is to be lost. */
  readonly loses?: (index: number, nowMs: number) => boolean;
  /** A bottleneck that others use too. */
  readonly bottleneck?: Bottleneck;
}

/** When what waits in a queue will be through, ms. */
export interface Bottleneck {
  freeMs: number;
}

/** What the estimator is told, for one packet. */
interface InFlight {
  readonly sequence: number;
  readonly arrivedMs: number | undefined;
}

/** A bottleneck with a queue, in virtual time. */
export class SimulatedPath {
  readonly #init: PathInit;
  readonly #queue: Bottleneck;
  #count = 0;
  readonly #inFlight: InFlight[] = [];

  constructor(init: PathInit) {
    this.#init = init;
    this.#queue = init.bottleneck ?? { freeMs: 0 };
  }

  /** How long a packet sent now would wait, ms. */
  queueMs(nowMs: number): number {
    return Math.max(0, this.#queue.freeMs - nowMs);
  }

  /** When the viewer sees the packet, ms; undefined when it is lost. */
  send(sequence: number, bytes: number, nowMs: number): number | undefined {
    const { capacityBps, delayMs = 20, queueLimitMs = 500, loses } = this.#init;
    const full = this.queueMs(nowMs) > queueLimitMs;
    if (full || loses?.(this.#count++, nowMs) === true) {
      this.#inFlight.push({ sequence, arrivedMs: undefined });
      return undefined;
    }
    this.#queue.freeMs = Math.max(this.#queue.freeMs, nowMs) + (bytes * 8 * 1000) / capacityBps(nowMs);
    const throughMs = this.#queue.freeMs + delayMs;
    const arrivedMs = throughMs + (this.#init.stallMs?.(throughMs) ?? 0);
    this.#inFlight.push({ sequence, arrivedMs });
    return arrivedMs;
  }

  /** What a feedback message that arrives now tells of: everything up to the newest packet that has arrived by then. */
  feedback(nowMs: number): readonly InFlight[] {
    const seenBy = nowMs - (this.#init.delayMs ?? 20);
    let last = -1;
    for (const [i, { arrivedMs }] of this.#inFlight.entries()) {
      if (arrivedMs !== undefined && arrivedMs <= seenBy) last = i;
    }
    return this.#inFlight.splice(0, last + 1);
  }
}
