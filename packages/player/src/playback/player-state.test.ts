import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextState, type PlayerSignal, type PlayerState } from "./player-state.ts";
import { createPositionClock } from "./position-clock.ts";

const SIGNALS: PlayerSignal[] = ["open", "play", "pause", "buffer", "end", "lose", "fail", "close"];
const after = (...signals: PlayerSignal[]): PlayerState => signals.reduce<PlayerState>(nextState, "idle");

describe("nextState", () => {
  it("plays, pauses, ends and plays again", () => {
    expect(after("open")).toBe("connecting");
    expect(after("open", "play")).toBe("playing");
    expect(after("open", "play", "pause")).toBe("paused");
    expect(after("open", "play", "end")).toBe("ended");
    expect(after("open", "play", "end", "play")).toBe("playing");
  });

  it("stays reconnecting while a new connection is made, until something is seen", () => {
    expect(after("open", "play", "lose", "open")).toBe("reconnecting");
    expect(after("open", "play", "lose", "open", "buffer")).toBe("reconnecting");
    expect(after("open", "play", "lose", "open", "pause")).toBe("paused");
  });

  it("keeps an error whatever the old connection still reports, until it is opened again", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<PlayerSignal>("play", "pause", "buffer", "end", "lose", "fail")),
        late => {
          expect(after("open", "fail", ...late)).toBe("error");
        },
      ),
    );
    expect(after("open", "fail", "open")).toBe("connecting");
  });

  it("is idle after close, whatever came before, and late signals do not wake it", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...SIGNALS)), before => {
        const closed = nextState(after(...before), "close");
        expect(closed).toBe("idle");
        expect(nextState(closed, "play")).toBe("idle");
      }),
    );
  });
});

describe("createPositionClock", () => {
  it("runs while playing and stands still while not", () => {
    const clock = createPositionClock();
    clock.set(10, true, 1_000);
    expect(clock.at(2_500)).toBe(11.5);
    clock.run(false, 2_500);
    expect(clock.at(9_000)).toBe(11.5);
    clock.run(true, 9_000);
    expect(clock.at(10_000)).toBe(12.5);
  });

  it("never runs past the duration nor before zero", () => {
    const clock = createPositionClock();
    clock.durationSeconds = 20;
    clock.set(19.5, true, 0);
    expect(clock.at(5_000)).toBe(20);
    clock.set(-3, false, 0);
    expect(clock.at(0)).toBe(0);
  });
});
