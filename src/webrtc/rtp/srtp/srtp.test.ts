import { SrtcpSession } from "werift";
import { describe, expect, it } from "vitest";
import { deriveKeys, isRtcp, MAX_REPORT_SENDERS, type MasterKey, SrtcpOpener, SrtcpSealer } from "./index.ts";

const CM: MasterKey = {
  profile: "aes-128-cm-hmac-sha1-80",
  // RFC 3711 B.3
  key: Buffer.from("E1F97A0D3E018BE0D64FA32C06DE4139", "hex"),
  salt: Buffer.from("0EC675AD498AFEEBB6960B3AABE6", "hex"),
};
const GCM: MasterKey = { profile: "aead-aes-128-gcm", key: Buffer.alloc(16, 3), salt: Buffer.alloc(12, 4) };
const REPORT = Buffer.from("81c9000700000001000000050000000000000000000000000000000000000000", "hex");

describe("session keys", () => {
  it("are those of RFC 3711 B.3", () => {
    const keys = deriveKeys(CM, "rtp");
    expect(keys.key.toString("hex")).toBe("c61e7a93744f39ee10734afe3ff7a087");
    expect(keys.salt.toString("hex")).toBe("30cbbc08863d8c85d49db34a9ae1");
    expect(keys.auth.toString("hex")).toBe("cebe321f6ff7716b6fd4ab49af256a156d38baa4");
  });
});

describe.each([
  ["GCM", GCM, 7],
  ["CM", CM, 1],
] as const)("SRTCP with %s", (_name, master, profile) => {
  const config = {
    keys: {
      localMasterKey: master.key,
      localMasterSalt: master.salt,
      remoteMasterKey: master.key,
      remoteMasterSalt: master.salt,
    },
    profile,
  } as const;

  it("is read by another implementation, and reads it", () => {
    const other = new SrtcpSession(config);
    const keys = deriveKeys(master, "rtcp");
    expect(other.decrypt(new SrtcpSealer(keys).seal(REPORT))).toEqual(REPORT);
    const sealed = other.encrypt(REPORT);
    expect(isRtcp(sealed)).toBe(true);
    expect(new SrtcpOpener(keys).open(sealed)).toEqual(REPORT);
  });

  it("takes a report once, and nothing forged or cut off", () => {
    const keys = deriveKeys(master, "rtcp");
    const sealer = new SrtcpSealer(keys);
    const opener = new SrtcpOpener(keys);
    const packets = Array.from({ length: 5 }, () => sealer.seal(REPORT));
    const order = [4, 2, 4, 2, 0];
    expect(order.map(at => opener.open(packets[at]!) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
    for (let at = 0; at < REPORT.length; at++) {
      const forged = sealer.seal(REPORT);
      forged[at] = (forged[at] ?? 0) ^ 1;
      expect(opener.open(forged)).toBeUndefined();
    }
    expect(opener.open(packets[1]!.subarray(0, 15))).toBeUndefined();
    expect(opener.refused).toBe(2 + REPORT.length + 1);
  });

  it("counts the reports of each sender by themselves, and hears as many senders as a viewer has", () => {
    const keys = deriveKeys(master, "rtcp");
    const opener = new SrtcpOpener(keys);
    const from = (ssrc: number): Buffer => {
      const report = Buffer.from(REPORT);
      report.writeUInt32BE(ssrc, 4);
      return report;
    };
    const feedback = new SrtcpSealer(keys);
    for (let i = 0; i < 200; i++) expect(opener.open(feedback.seal(from(1)))).toBeDefined();
    // A browser's first NACK has index 1 of its own stream, however many reports came of others.
    expect(opener.open(new SrtcpSealer(keys).seal(from(2)))).toEqual(from(2));
    expect(opener.open(new SrtcpSealer(keys).seal(from(2)))).toBeUndefined();
    for (let ssrc = 3; ssrc <= MAX_REPORT_SENDERS; ssrc++) {
      expect(opener.open(new SrtcpSealer(keys).seal(from(ssrc)))).toBeDefined();
    }
    expect(opener.open(new SrtcpSealer(keys).seal(from(1000)))).toBeUndefined();
    expect(opener.open(feedback.seal(from(1)))).toBeDefined();
  });
});
