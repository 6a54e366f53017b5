import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import type { Principal } from "../../core/index.ts";
import type { ChannelEvent } from "../peer.ts";
import type { ChannelConnection, ChannelDoor } from "../types.ts";

/** Most UTF-16 units in one text of a channel: 15,000 bytes at most. Some peers take no more than 16 KiB at once. */
const PIECE_LENGTH = 5_000;

export interface SessionChannelsInit {
  readonly door: ChannelDoor | undefined;
  readonly sessionId: string;
  readonly principal: Principal;
  readonly send: (channel: number, text: string) => void;
  readonly close: (channel: number) => void;
}

/** Channels of messages of one viewer: JSON, a message a line, in texts of any length. */
export class SessionChannels {
  readonly #init: SessionChannelsInit;
  #open: { readonly channel: number; readonly connection: ChannelConnection } | undefined;
  #rest = "";

  constructor(init: SessionChannelsInit) {
    this.#init = init;
  }

  handle(event: ChannelEvent): void {
    if (event.type === "open") this.#connect(event.channel);
    else if (this.#open?.channel !== event.channel) return;
    else if (event.type === "message") this.#receive(event.text);
    else this.end();
  }

  /** The session is over. */
  end(): void {
    const open = this.#open;
    this.#open = undefined;
    this.#rest = "";
    open?.connection.close();
  }

  #connect(channel: number): void {
    const { door, principal, sessionId, send, close } = this.#init;
    const connection = door?.connect({
      principal,
      sessionId,
      send: text => {
        for (const piece of pieces(`${text}\n`)) send(channel, piece);
      },
      close: () => close(channel),
    });
    if (connection === undefined) close(channel);
    else this.#open = { channel, connection };
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split("\n");
    const last = lines.pop() ?? "";
    // Who sends a message as one text may leave out the end of its line.
    const whole = this.#rest === "" && lines.length === 0 && isJson(last);
    this.#rest = whole ? "" : last;
    for (const line of whole ? [last] : lines) {
      if (line.trim() !== "") this.#open?.connection.receive(line);
    }
    if (this.#rest.length <= MAX_MESSAGE_BYTES || this.#open === undefined) return;
    const { channel } = this.#open;
    this.end();
    this.#init.close(channel);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Cuts a text without parting the two halves of a character. */
function* pieces(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    let end = at + PIECE_LENGTH;
    const unit = text.charCodeAt(end - 1);
    if (unit >= 0xd800 && unit <= 0xdbff) end--;
    yield text.slice(at, end);
    at = end;
  }
}
