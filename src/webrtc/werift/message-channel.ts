import { MCP_CHANNEL_LABEL } from "@cidcast/protocols/mcp";
import type { RTCDataChannel } from "werift";
import type { ChannelEvent } from "../peer.ts";

/** Bytes that may wait for a viewer that does not read a channel; with more it is closed. */
export const MAX_CHANNEL_BACKLOG_BYTES = 16 * 1024 * 1024;

/** The channel of messages that a viewer may open beside control: one at a time. */
export class MessageChannel {
  readonly #onEvent: (event: ChannelEvent) => void;
  #current: RTCDataChannel | undefined;
  #number = 0;

  constructor(onEvent: (event: ChannelEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Takes a channel that the viewer has opened; false when it is none of these, or there is one. */
  adopt(channel: RTCDataChannel): boolean {
    if (channel.label !== MCP_CHANNEL_LABEL || this.#current !== undefined) return false;
    this.#current = channel;
    this.#number++;
    const number = this.#number;
    channel.stateChange.subscribe(state => {
      if (state === "closed" || state === "closing") this.#gone(channel, number);
    });
    channel.onMessage.subscribe(data => {
      if (this.#current !== channel) return;
      if (typeof data === "string") this.#onEvent({ type: "message", channel: number, text: data });
      else this.close(number);
    });
    this.#onEvent({ type: "open", channel: number });
    return true;
  }

  /** Sends on the channel of that number, while it is open. */
  send(number: number, text: string): void {
    const channel = this.#current;
    if (channel === undefined || number !== this.#number || channel.readyState !== "open") return;
    if (channel.bufferedAmount > MAX_CHANNEL_BACKLOG_BYTES) this.close(number);
    else channel.send(text);
  }

  close(number: number): void {
    const channel = this.#current;
    if (channel === undefined || number !== this.#number) return;
    this.#gone(channel, number);
    channel.close();
  }

  #gone(channel: RTCDataChannel, number: number): void {
    if (this.#current !== channel) return;
    this.#current = undefined;
    this.#onEvent({ type: "closed", channel: number });
  }
}
