import type { HandshakeMessage } from "../internals.ts";

const HEADER_BYTES = 12;
/** Largest handshake message, bytes. A chain of certificates is the largest; ours and browsers' have some hundred. */
export const MAX_HANDSHAKE_MESSAGE_BYTES = 16 * 1024;
/** Messages ahead of the next one that are kept: no flight has more. */
export const MAX_MESSAGES_AHEAD = 8;

interface Partial {
  readonly type: number;
  readonly body: Buffer;
  readonly have: Uint8Array;
  missing: number;
}

/** A handshake message, put together. */
export interface OrderedMessage {
  readonly message: HandshakeMessage;
  /** It was delivered before: the peer has not seen our answer. */
  readonly repeated: boolean;
}

/**
 * Puts handshake fragments together and in order, whatever datagrams were lost, repeated or overtaken. The package
 * handles them as they come. @see https://www.rfc-editor.org/rfc/rfc6347#section-4.2.2
 */
export class HandshakeOrder {
  readonly #partial = new Map<number, Partial>();
  #next = 0;

  /** Fragments of one record; returns what may be handled now, in order. Malformed ones are passed over. */
  push(record: Buffer): OrderedMessage[] {
    const out: OrderedMessage[] = [];
    let at = 0;
    while (at + HEADER_BYTES <= record.length) {
      const bytes = record.readUIntBE(at + 9, 3);
      const end = at + HEADER_BYTES + bytes;
      if (end > record.length) break;
      this.#fragment(record.subarray(at, end), out);
      at = end;
    }
    return out;
  }

  #fragment(fragment: Buffer, out: OrderedMessage[]): void {
    const type = fragment[0] ?? 0;
    const length = fragment.readUIntBE(1, 3);
    const sequence = fragment.readUInt16BE(4);
    const offset = fragment.readUIntBE(6, 3);
    const data = fragment.subarray(HEADER_BYTES);
    if (length > MAX_HANDSHAKE_MESSAGE_BYTES || offset + data.length > length) return;
    if (sequence >= this.#next + MAX_MESSAGES_AHEAD) return;
    if (sequence < this.#next) {
      // Whole messages only: the first datagram of a repeated flight is enough to answer it again.
      if (data.length === length) out.push({ message: complete(type, sequence, data), repeated: true });
      return;
    }
    const partial = this.#partialOf(sequence, type, length);
    if (partial === undefined) return;
    for (let i = 0; i < data.length; i++) {
      if (partial.have[offset + i] === 1) continue;
      partial.have[offset + i] = 1;
      partial.body[offset + i] = data[i] ?? 0;
      partial.missing--;
    }
    this.#drain(out);
  }

  #partialOf(sequence: number, type: number, length: number): Partial | undefined {
    const known = this.#partial.get(sequence);
    // A fragment that contradicts the first one of its message is not of this handshake.
    if (known !== undefined) return known.type === type && known.body.length === length ? known : undefined;
    const partial = { type, body: Buffer.alloc(length), have: new Uint8Array(length), missing: length };
    this.#partial.set(sequence, partial);
    return partial;
  }

  #drain(out: OrderedMessage[]): void {
    for (;;) {
      const partial = this.#partial.get(this.#next);
      if (partial === undefined || partial.missing > 0) return;
      this.#partial.delete(this.#next);
      out.push({ message: complete(partial.type, this.#next, partial.body), repeated: false });
      this.#next++;
    }
  }
}

function complete(type: number, sequence: number, body: Buffer): HandshakeMessage {
  return {
    msg_type: type,
    length: body.length,
    message_seq: sequence,
    fragment_offset: 0,
    fragment_length: body.length,
    fragment: body,
    summary: type,
    serialize() {
      const head = Buffer.alloc(HEADER_BYTES);
      head[0] = type;
      head.writeUIntBE(body.length, 1, 3);
      head.writeUInt16BE(sequence, 4);
      head.writeUIntBE(body.length, 9, 3);
      return Buffer.concat([head, body]);
    },
  };
}
