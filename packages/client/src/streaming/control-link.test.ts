import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SignallingClient } from "../signalling-client.ts";
import { ControlLink } from "./control-link.ts";
import { FIRST_ATTEMPTS, FIRST_RETRY_MS, MAX_WAITING_COMMANDS } from "./limits.ts";
import type { RtcChannel, RtcConnection } from "./rtc.ts";

/** A channel as Chromium's can be: what is sent in its first moment does not arrive. */
class Channel extends EventTarget {
  readonly label = "control";
  readyState = "connecting";
  arriving = false;
  answering = true;
  readonly arrived: string[] = [];

  send(text: string): void {
    if (!this.arriving) return;
    const { type, id } = JSON.parse(text);
    this.arrived.push(type);
    if (!this.answering) return;
    const state = {
      type: "state",
      state: "playing",
      positionSeconds: 0,
      durationSeconds: 1,
      loop: false,
      id,
    };
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(state) }));
  }

  open(): void {
    this.readyState = "open";
    this.dispatchEvent(new Event("open"));
  }
}

let link: ControlLink;
let channel: Channel;

beforeEach(() => {
  vi.useFakeTimers();
  channel = new Channel();
  const pc = new EventTarget();
  link = new ControlLink({
    pc: pc as unknown as RtcConnection,
    signalling: {} as SignallingClient,
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
  link.send({ type: "pause" });
  pc.dispatchEvent(Object.assign(new Event("datachannel"), { channel: channel as unknown as RtcChannel }));
});
afterEach(() => void vi.useRealTimers());

test("what is sent in the first moment of a channel and lost there is no command", () => {
  channel.open();
  channel.arriving = true;
  link.send({ type: "seek", positionSeconds: 1 });
  expect(channel.arrived).toEqual([]);
  vi.advanceTimersByTime(FIRST_RETRY_MS);
  link.send({ type: "resume" });
  expect(channel.arrived).toEqual(["get_state", "pause", "seek", "resume"]);
  vi.advanceTimersByTime(10 * FIRST_RETRY_MS);
  expect(channel.arrived).toHaveLength(4);
});

test("a node that does not answer gets its commands all the same", () => {
  Object.assign(channel, { arriving: true, answering: false });
  channel.open();
  vi.advanceTimersByTime(FIRST_ATTEMPTS * FIRST_RETRY_MS);
  expect(channel.arrived).toEqual([...Array<string>(FIRST_ATTEMPTS).fill("get_state"), "pause"]);
});

test("so many commands wait, the first ones", () => {
  for (let i = 1; i < MAX_WAITING_COMMANDS; i++) link.send({ type: "step", frames: 1 });
  link.send({ type: "resume" });
  channel.arriving = true;
  channel.open();
  expect(channel.arrived).toHaveLength(1 + MAX_WAITING_COMMANDS);
  expect(channel.arrived).not.toContain("resume");
});
