import { CONTROL_LABEL } from "@cidcast/protocols/media-control";
import {
  type ControlCommand,
  type ControlEvent,
  parseControlEvent,
  readControlEvent,
} from "../control-messages.ts";
import type { RtcChannel } from "./rtc.ts";
import type { SignallingClient } from "../signalling-client.ts";
import { CONTROL_FALLBACK_MS, FIRST_ATTEMPTS, FIRST_RETRY_MS, MAX_WAITING_COMMANDS } from "./limits.ts";

/** Names the command whose answer tells that the channel carries commands. */
const FIRST_ID = "first";

export interface ControlLinkInit {
  /** Where the node's channels come from: the part of an `RtcConnection` that is used here. */
  readonly pc: {
    addEventListener(type: "datachannel", listener: (event: { readonly channel: RtcChannel }) => void): void;
  };
  readonly signalling: Pick<SignallingClient, "send" | "on">;
  readonly onEvent: (event: ControlEvent) => void;
  readonly signal: AbortSignal;
}

/** Media control of one session: over the data channel that the node opens, over the signalling socket where none comes. */
export class ControlLink {
  readonly #init: ControlLinkInit;
  readonly #waiting: ControlCommand[] = [];
  #channel: RtcChannel | undefined;
  /** The channel is known to carry commands. */
  #carries = false;
  /** The session, once control goes over the signalling socket. */
  #viaSocket: string | undefined;

  constructor(init: ControlLinkInit) {
    this.#init = init;
    init.pc.addEventListener("datachannel", ({ channel }) => {
      if (channel.label === CONTROL_LABEL) this.#use(channel);
    });
  }

  /** To be called when the session's media connection stands: from then on the data channel is due. */
  expectChannel(pcId: string): void {
    if (this.#channel !== undefined || this.#viaSocket !== undefined) return;
    const timer = setTimeout(() => this.#useSocket(pcId), CONTROL_FALLBACK_MS);
    this.#init.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  send(command: ControlCommand): void {
    if (this.#carries && this.#channel?.readyState === "open") this.#channel.send(JSON.stringify(command));
    else if (this.#viaSocket !== undefined) {
      this.#init.signalling.send({ type: "control", pc_id: this.#viaSocket, command });
    } else if (this.#waiting.length < MAX_WAITING_COMMANDS) this.#waiting.push(command);
  }

  #use(channel: RtcChannel): void {
    this.#channel = channel;
    let timer: ReturnType<typeof setTimeout>;
    const stop = (): void => clearTimeout(timer);
    const carry = (): void => {
      stop();
      this.#carries = true;
      this.#flush();
    };
    // Chromium sometimes loses what is sent in the first moment of a channel: commands wait for an answer over it.
    const ask = (attempt: number): void => {
      timer = setTimeout(() => (attempt < FIRST_ATTEMPTS ? ask(attempt + 1) : carry()), FIRST_RETRY_MS);
      if (channel.readyState === "open") channel.send(JSON.stringify({ type: "get_state", id: FIRST_ID }));
    };
    channel.addEventListener("message", event => {
      const parsed = parseControlEvent(event.data);
      if (parsed?.type === "state" && parsed.id === FIRST_ID && !this.#carries) carry();
      if (parsed) this.#init.onEvent(parsed);
    });
    if (channel.readyState === "open") ask(1);
    else channel.addEventListener("open", () => ask(1), { once: true });
    this.#init.signal.addEventListener("abort", stop, { once: true });
  }

  #useSocket(pcId: string): void {
    if (this.#channel !== undefined) return;
    this.#viaSocket = pcId;
    const stop = this.#init.signalling.on("message", message => {
      if (message.type !== "control" || message.pc_id !== pcId) return;
      const event = readControlEvent(message.event);
      if (event) this.#init.onEvent(event);
    });
    this.#init.signal.addEventListener("abort", stop, { once: true });
    // The first command over the socket makes the node tell its events there.
    this.send({ type: "get_state" });
    this.#flush();
  }

  #flush(): void {
    for (const command of this.#waiting.splice(0)) this.send(command);
  }
}
