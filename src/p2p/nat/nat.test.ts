import { describe, expect, test } from "vitest";
import { MAX_OBSERVERS } from "../limits.ts";
import { decodeDcutr, encodeDcutr, readLength } from "./dcutr-message.ts";
import { Observations } from "./observations.ts";

describe("messages of a hole punch", () => {
  test("are those of the specification", () => {
    const address = Uint8Array.from([4, 192, 0, 2, 1, 6, 15, 161]);
    const connect = encodeDcutr({ type: "connect", addresses: [address] });
    // CONNECT = 100 in field 1, the address in field 2, all of it after its length.
    expect([...connect]).toEqual([12, 0x08, 100, 0x12, 8, ...address]);
    // SYNC = 300 as a varint of two bytes.
    expect([...encodeDcutr({ type: "sync", addresses: [] })]).toEqual([3, 0x08, 0xac, 0x02]);
    expect(readLength(connect)).toEqual({ length: 12, headBytes: 1 });
    expect(decodeDcutr(connect.subarray(1))).toEqual({ type: "connect", addresses: [address] });
  });

  test("with unknown fields are read, others are none", () => {
    expect(decodeDcutr(Uint8Array.from([0x18, 7, 0x22, 1, 0, 0x08, 0xac, 0x02]))).toEqual({
      type: "sync",
      addresses: [],
    });
    for (const bytes of [
      [],
      [0x08],
      [0x08, 5],
      [0x12, 9, 1],
      [0x0d, 1, 2, 3, 4],
      [0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      expect(decodeDcutr(Uint8Array.from(bytes))).toBeUndefined();
    }
  });
});

describe("what peers see of this node", () => {
  const own = new Set(["10.0.0.2"]);

  test("tells what kind of NAT is between", () => {
    const one = new Observations();
    expect(one.kind(own)).toBe("unknown");
    one.note("1.1.1.1", "10.0.0.2", 5000);
    expect(one.kind(own)).toBe("none");
    const mapped = new Observations();
    mapped.note("1.1.1.1", "5.5.5.5", 5000);
    // One witness does not tell the two kinds apart.
    expect(mapped.kind(own)).toBe("unknown");
    mapped.note("2.2.2.2", "5.5.5.5", 5000);
    expect(mapped.kind(own)).toBe("endpoint-independent");
    mapped.note("3.3.3.3", "5.5.5.5", 5001);
    expect(mapped.kind(own)).toBe("endpoint-dependent");
    expect(mapped.candidates()).toEqual(["/ip4/5.5.5.5/tcp/5001", "/ip4/5.5.5.5/tcp/5000"]);
  });

  test("is kept of a bounded number of peers", () => {
    const many = new Observations();
    for (let i = 0; i < MAX_OBSERVERS + 5; i++) many.note(`1.1.1.${i}`, "5.5.5.5", i);
    expect(many.size).toBe(MAX_OBSERVERS);
    many.note("1.1.1.1", "not an address", 1);
    expect(many.candidates()).toHaveLength(MAX_OBSERVERS);
  });
});
