/** Where playing is, between two reports of the node: it runs on while playing and stands still otherwise. */
export interface PositionClock {
  /** Position at `nowMs`, seconds. */
  at(nowMs: number): number;
  /** What the node reported, or where the viewer has just asked to go. */
  set(positionSeconds: number, running: boolean, nowMs: number): void;
  /** Starts or stops the clock where it is. */
  run(running: boolean, nowMs: number): void;
  durationSeconds: number | undefined;
  /** Seconds of media per second; the place stays as a new one is set. */
  rate: number;
}

/** A position that runs is never past the duration, where that is known. */
export function createPositionClock(): PositionClock {
  let anchorSeconds = 0;
  let anchorMs = 0;
  let running = false;
  let rate = 1;
  return {
    durationSeconds: undefined,
    get rate() {
      return rate;
    },
    set rate(wanted) {
      const nowMs = performance.now();
      this.set(this.at(nowMs), running, nowMs);
      rate = wanted;
    },
    at(nowMs) {
      const seconds = anchorSeconds + (running ? (Math.max(0, nowMs - anchorMs) / 1000) * rate : 0);
      return Math.min(seconds, this.durationSeconds ?? Number.POSITIVE_INFINITY);
    },
    set(positionSeconds, isRunning, nowMs) {
      anchorSeconds = Math.max(0, positionSeconds);
      anchorMs = nowMs;
      running = isRunning;
    },
    run(isRunning, nowMs) {
      if (isRunning !== running) this.set(this.at(nowMs), isRunning, nowMs);
    },
  };
}
