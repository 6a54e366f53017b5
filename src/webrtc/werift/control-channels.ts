import type { RTCDataChannel, RTCPeerConnection } from "werift";

/** Label of the media control channel. */
export const CONTROL_LABEL = "control";
/** Channels a viewer may open; further ones are closed. */
export const MAX_VIEWER_CHANNELS = 4;

export interface ControlChannelsInit {
  readonly pc: RTCPeerConnection;
  readonly onOpen: () => void;
  /** Takes channels under other labels; false: the channel is closed. */
  readonly onOther: (channel: RTCDataChannel) => boolean;
  readonly onMessage: (text: string | undefined) => void;
}

/** Control channels of a viewer: ours, and those it opens under the same label. */
export class ControlChannels {
  readonly #init: ControlChannelsInit;
  readonly #open = new Set<RTCDataChannel>();
  #viewerChannels = 0;

  constructor(init: ControlChannelsInit) {
    this.#init = init;
    init.pc.onDataChannel.subscribe(channel => {
      this.#viewerChannels++;
      if (this.#viewerChannels > MAX_VIEWER_CHANNELS) channel.close();
      else if (channel.label === CONTROL_LABEL) this.#adopt(channel);
      else if (!init.onOther(channel)) channel.close();
    });
  }

  /** Opens ours; it becomes part of the offer. */
  create(): void {
    this.#adopt(this.#init.pc.createDataChannel(CONTROL_LABEL, { ordered: true }));
  }

  /** To every open channel; false when there is none. */
  send(text: string): boolean {
    for (const channel of this.#open) channel.send(text);
    return this.#open.size > 0;
  }

  close(): void {
    this.#open.clear();
  }

  #adopt(channel: RTCDataChannel): void {
    const opened = (): void => {
      if (this.#open.has(channel)) return;
      this.#open.add(channel);
      this.#init.onOpen();
    };
    channel.stateChange.subscribe(state => {
      if (state === "open") opened();
      else this.#open.delete(channel);
    });
    channel.onMessage.subscribe(data => this.#init.onMessage(typeof data === "string" ? data : undefined));
    if (channel.readyState === "open") opened();
  }
}
