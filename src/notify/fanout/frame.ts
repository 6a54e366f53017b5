import type { RingEntry } from "../log/index.ts";
import type { LogEvent } from "../types.ts";
import type { FrameSlab } from "./frame-slab.ts";

/** FIN and opcode 1: a whole text message. RFC 6455, 5.2. */
const TEXT_FRAME = 0x81;
/** RSV1: the payload is compressed. RFC 7692, 6. */
const COMPRESSED = 0x40;
/** Longest payload whose length fits the second byte, and the marks of the longer forms. RFC 6455, 5.2. */
const SHORT_MAX = 125;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MAX_16 = 0xffff;

/** A text message as a server puts it on a WebSocket: not masked, not compressed. */
export function textFrame(text: string, take: (bytes: number) => Buffer = Buffer.allocUnsafe): Buffer {
  const length = Buffer.byteLength(text);
  const { frame, head } = emptyFrame(TEXT_FRAME, length, take);
  frame.write(text, head);
  return frame;
}

/** A text message whose payload is compressed, as a server puts it on a WebSocket that negotiated permessage-deflate. */
export function compressedFrame(payload: Uint8Array): Buffer {
  const { frame, head } = emptyFrame(TEXT_FRAME | COMPRESSED, payload.length, Buffer.allocUnsafe);
  frame.set(payload, head);
  return frame;
}

function emptyFrame(
  first: number,
  length: number,
  take: (bytes: number) => Buffer,
): { readonly frame: Buffer; readonly head: number } {
  const head = length <= SHORT_MAX ? 2 : length <= MAX_16 ? 4 : 10;
  const frame = take(head + length);
  frame[0] = first;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  return { frame, head };
}

/** An event as the notification protocol writes it. */
export function notificationOf(event: LogEvent): Readonly<Record<string, unknown>> {
  const { topic, data, atMs, source, offset } = event;
  const head = { type: "notification", notification_type: topic, data, timestamp: atMs / 1000 };
  return source === undefined ? { ...head, offset } : { ...head, source, offset };
}

/** Events on their way to subscribers. Text and frames are made once, by whoever needs them first. */
export class Batch {
  readonly entries: readonly RingEntry[];
  #frames: Buffer | undefined;
  #texts: readonly string[] | undefined;
  readonly #slab: FrameSlab;

  constructor(entries: readonly RingEntry[], slab: FrameSlab) {
    this.entries = entries;
    this.#slab = slab;
  }

  /** All frames back to back. */
  frames(): Buffer {
    this.#frames ??= Buffer.concat(this.entries.map(entry => this.#frameOf(entry)));
    return this.#frames;
  }

  texts(): readonly string[] {
    this.#texts ??= this.entries.map(({ event }) => JSON.stringify(notificationOf(event)));
    return this.#texts;
  }

  #frameOf(entry: RingEntry): Buffer {
    entry.frame ??= textFrame(JSON.stringify(notificationOf(entry.event)), bytes => this.#slab.take(bytes));
    return entry.frame;
  }
}
