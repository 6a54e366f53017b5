import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ControlLink } from "./control-link.ts";
import { FIRST_ATTEMPTS, FIRST_RETRY_MS, MAX_WAITING_COMMANDS } from "./limits.ts";
import type { RtcChannel } from "./rtc.ts";

/** A channel as Chromium's can be: what is sent in its first moment does not arrive. */
class Channel implements RtcChannel {
  readonly label = "control";
  readyState = "connecting";
  arriving = false;
  answering = true;
  readonly arrived: string[] = [];
  readonly #listeners: { readonly type: string; hear(event: { readonly data: unknown }): void }[] = [];

  addEventListener(type: string, hear: (event: { readonly data: unknown }) => void): void {
    this.#listeners.push({ type, hear });
  }

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
    this.#tell("message", JSON.stringify(state));
  }

  open(): void {
    this.readyState = "open";
    this.#tell("open");
  }

  #tell(type: string, data?: unknown): void {
    for (const listener of this.#listeners) if (listener.type === type) listener.hear({ data });
  }
}

let link: ControlLink;
let channel: Channel;
/** The node has opened the channel. */
let offer: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  channel = new Channel();
  link = new ControlLink({
    pc: { addEventListener: (_type, listener) => void (offer = () => listener({ channel })) },
    signalling: { send: () => undefined, on: () => () => undefined },
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
  link.send({ type: "pause" });
  offer();
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
