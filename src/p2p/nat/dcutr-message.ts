/** Messages by which two peers agree when to dial each other. @see https://github.com/libp2p/specs/blob/master/relay/DCUtR.md */
export interface DcutrMessage {
  readonly type: "connect" | "sync";
  /** Binary multiaddrs. */
  readonly addresses: readonly Uint8Array[];
}

const CONNECT = 100;
const SYNC = 300;
/** Protobuf keys: field 1 a varint, field 2 bytes. */
const TYPE_KEY = (1 << 3) | 0;
const ADDRESSES_KEY = (2 << 3) | 2;

/** A message as it goes over the wire, with its length before it. */
export function encodeDcutr(message: DcutrMessage): Uint8Array {
  const body = [TYPE_KEY, ...varint(message.type === "connect" ? CONNECT : SYNC)];
  for (const address of message.addresses) body.push(ADDRESSES_KEY, ...varint(address.length), ...address);
  return Uint8Array.from([...varint(body.length), ...body]);
}

/** The message without its length, or undefined when it is none. Unknown fields are passed over. */
export function decodeDcutr(bytes: Uint8Array): DcutrMessage | undefined {
  const reader = new Reader(bytes);
  let type: DcutrMessage["type"] | undefined;
  const addresses: Uint8Array[] = [];
  while (!reader.done) {
    const key = reader.varint();
    if (key === undefined) return undefined;
    if ((key & 7) === 0) {
      const value = reader.varint();
      if (value === undefined) return undefined;
      if (key === TYPE_KEY) type = value === CONNECT ? "connect" : value === SYNC ? "sync" : undefined;
    } else if ((key & 7) === 2) {
      const value = reader.bytes();
      if (value === undefined) return undefined;
      if (key === ADDRESSES_KEY) addresses.push(value);
    } else {
      return undefined;
    }
  }
  return type === undefined ? undefined : { type, addresses };
}

/** Reads a length; undefined while it is not whole, or when it is none. */
export function readLength(
  bytes: Uint8Array,
): { readonly length: number; readonly headBytes: number } | undefined {
  const reader = new Reader(bytes);
  const length = reader.varint();
  return length === undefined ? undefined : { length, headBytes: reader.at };
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** Up to 28 bits: nothing in these messages is longer. */
  varint(): number | undefined {
    let value = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) return undefined;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return undefined;
  }

  bytes(): Uint8Array | undefined {
    const length = this.varint();
    if (length === undefined || this.at + length > this.#bytes.length) return undefined;
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}
