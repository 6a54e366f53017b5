import { createHmac, randomBytes } from "node:crypto";

const HEADER_BYTES = 20;
const INTEGRITY_BYTES = 24;
const USERNAME = 0x0006;
const PRIORITY = 0x0024;
const ICE_CONTROLLING = 0x802a;
export const BINDING_REQUEST = 0x0001;
export const BINDING_RESPONSE = 0x0101;

type Attribute = readonly [type: number, value: Buffer];

/** A STUN message; with a password it carries MESSAGE-INTEGRITY. */
export function stun(
  type: number,
  attributes: readonly Attribute[],
  password?: string,
  transaction: Buffer = randomBytes(12),
): Buffer {
  const parts = attributes.map(([kind, value]) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(kind);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
  });
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(type);
  head.writeUInt16BE(body.length + (password === undefined ? 0 : INTEGRITY_BYTES), 2);
  head.writeUInt32BE(0x2112a442, 4);
  transaction.copy(head, 8);
  const message = Buffer.concat([head, body]);
  if (password === undefined) return message;
  const mac = createHmac("sha1", password).update(message).digest();
  return Buffer.concat([message, Buffer.from([0, 8, 0, 20]), mac]);
}

/** A check of a controlling viewer. */
export function check(username: string, password: string, more: readonly Attribute[] = []): Buffer {
  const attributes: Attribute[] = [
    [USERNAME, Buffer.from(username)],
    [PRIORITY, Buffer.from([0x6e, 0, 0xff, 0xff])],
    [ICE_CONTROLLING, Buffer.alloc(8, 0xff)],
    ...more,
  ];
  return stun(BINDING_REQUEST, attributes, password);
}

/** Makes a check nominate its pair. */
export const NOMINATE: Attribute = [0x0025, Buffer.alloc(0)];

/** The answer to a check that came from `port` of this machine. */
export function respond(request: Buffer, password: string, port: number): Buffer {
  const mapped = Buffer.alloc(8);
  mapped[1] = 1;
  mapped.writeUInt16BE(port ^ 0x2112, 2);
  mapped.writeUInt32BE((0x7f000001 ^ 0x2112a442) >>> 0, 4);
  const transaction = request.subarray(8, HEADER_BYTES);
  return stun(BINDING_RESPONSE, [[0x0020, mapped]], password, transaction);
}

/** Type and transaction of a STUN message. */
export function stunHead(message: Buffer): { readonly type: number; readonly transaction: string } {
  return { type: message.readUInt16BE(0), transaction: message.toString("hex", 8, HEADER_BYTES) };
}
