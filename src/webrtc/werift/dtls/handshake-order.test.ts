import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HandshakeOrder, MAX_HANDSHAKE_MESSAGE_BYTES, MAX_MESSAGES_AHEAD } from "./handshake-order.ts";

function fragment(sequence: number, body: Buffer, from: number, to: number): Buffer {
  const head = Buffer.alloc(12);
  head[0] = 11;
  head.writeUIntBE(body.length, 1, 3);
  head.writeUInt16BE(sequence, 4);
  head.writeUIntBE(from, 6, 3);
  head.writeUIntBE(to - from, 9, 3);
  return Buffer.concat([head, body.subarray(from, to)]);
}

describe("handshake messages", () => {
  it("come out whole and in order, whatever order, cuts and repetitions their fragments have", () => {
    const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), {
      minLength: 1,
      maxLength: MAX_MESSAGES_AHEAD,
    });
    const scenario = messages.chain(bodies => {
      const fragments = bodies.flatMap((bytes, sequence) => {
        const body = Buffer.from(bytes);
        const half = Math.ceil(body.length / 2);
        const pieces = [fragment(sequence, body, 0, half)];
        if (half < body.length) pieces.push(fragment(sequence, body, half, body.length));
        return [...pieces, ...pieces];
      });
      const shuffled = fc.shuffledSubarray(fragments, {
        minLength: fragments.length,
        maxLength: fragments.length,
      });
      return shuffled.map(order => ({ bodies, order }));
    });
    fc.assert(
      fc.property(scenario, ({ bodies, order }) => {
        const handshake = new HandshakeOrder();
        const out = order.flatMap(record => handshake.push(record)).filter(entry => !entry.repeated);
        expect(out.map(entry => entry.message.message_seq)).toEqual(bodies.map((_, i) => i));
        expect(out.map(entry => Uint8Array.from(entry.message.fragment))).toEqual(bodies);
      }),
    );
  });

  it("are bounded in size and number", () => {
    const handshake = new HandshakeOrder();
    const large = Buffer.alloc(MAX_HANDSHAKE_MESSAGE_BYTES + 1);
    expect(handshake.push(fragment(0, large, 0, large.length))).toEqual([]);
    expect(handshake.push(fragment(MAX_MESSAGES_AHEAD, Buffer.from("x"), 0, 1))).toEqual([]);
    for (let sequence = 0; sequence < MAX_MESSAGES_AHEAD; sequence++) {
      expect(handshake.push(fragment(sequence, Buffer.from("x"), 0, 1))).toHaveLength(1);
    }
    expect(handshake.push(fragment(MAX_MESSAGES_AHEAD, Buffer.from("x"), 0, 1))).toHaveLength(1);
  });

  it("pass over what is malformed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        expect(() => new HandshakeOrder().push(Buffer.from(bytes))).not.toThrow();
      }),
    );
  });
});
