/** Where playing is, between two reports of the node: it runs on while playing and stands still otherwise. */
export interface PositionClock {
  /** Position at `nowMs`, seconds. */
  at(nowMs: number): number;
  /** What the node reported, or where the viewer has just asked to go. */
  set(positionSeconds: number, running: boolean, nowMs: number): void;
  /** Starts or stops the clock where it is. */
  run(running: boolean, nowMs: number): void;
  durationSeconds: number | undefined;
}

/** A position that runs is never past the duration, where that is known. */
export function createPositionClock(): PositionClock {
  let anchorSeconds = 0;
  let anchorMs = 0;
  let running = false;
  return {
    durationSeconds: undefined,
    at(nowMs) {
      const seconds = anchorSeconds + (running ? Math.max(0, nowMs - anchorMs) / 1000 : 0);
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
