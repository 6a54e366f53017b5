import { createDecipheriv } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createJsEgress, type Egress } from "../rtp/egress/index.ts";
import { SegmentCache } from "../rtp/packetise/index.ts";
import type { PeerTransport } from "../peer.ts";
import { deriveKeys, isRtcp, SrtcpOpener, SrtcpSealer } from "../rtp/srtp/index.ts";
import { fakeSegment } from "../testing/fake-media.ts";
import { type Ends, TRACKS, twoEnds, type Watched, watched } from "../testing/pairs.ts";
import type { FromHost } from "./messages.ts";
import { Viewer } from "./viewer.ts";

const DURATION_SECONDS = 30;
const RTX_PAYLOAD_TYPE = 103;

interface Rtp {
  readonly ssrc: number;
  readonly sequence: number;
  readonly payloadType: number;
  readonly transportSequence: number;
  readonly timestamp: number;
  readonly payload: Buffer;
}

let ends: Ends;
let egress: Egress;
let cache: SegmentCache;
let viewer: Viewer;
let remote: Watched;
let transport: PeerTransport | undefined;
let timer: NodeJS.Timeout;
let told: FromHost[];
let datagrams: Buffer[];

beforeEach(async () => {
  ends = await twoEnds();
  egress = createJsEgress({ socket: ends.muxes[0].socket });
  cache = new SegmentCache();
  told = [];
  datagrams = [];
  transport = undefined;
  viewer = new Viewer({
    peers: ends.factories[0],
    egress,
    cache,
    tell: message => {
      told.push(message);
      if (message.type === "need") setImmediate(() => feed(message));
    },
    open: {
      id: "pc_1",
      tracks: TRACKS.map((track, i) => ({ ...track, id: i === 0 ? "v0" : "a0", bitrateBps: 500_000 })),
      durationSeconds: DURATION_SECONDS,
      startSeconds: 0,
      offerSdp: undefined,
      quality: { rungs: [], first: 0, wish: {}, bandwidthBps: undefined },
      greeting: { type: "tracks", durationSeconds: DURATION_SECONDS, tracks: [] },
    },
  });
  remote = watched(ends.factories[1], { onMedia: datagram => datagrams.push(Buffer.from(datagram)) });
  timer = setInterval(() => viewer.tick(performance.now()), 5);
});

afterEach(async () => {
  clearInterval(timer);
  await viewer.close();
  await remote.peer.close();
  egress.close();
  await ends[Symbol.asyncDispose]();
});

function feed({ track, ticket, place }: Extract<FromHost, { type: "need" }>): void {
  if (!("at" in place || "after" in place)) throw new Error("there are no rungs");
  const start = "at" in place ? Math.floor(place.at) : Number(place.after.split("/")[1]) + 1;
  const id = track === 0 ? "v0" : "a0";
  viewer.deliver(
    track,
    ticket,
    fakeSegment({ id, start, durationSeconds: DURATION_SECONDS, keyBytes: 5000 }),
  );
}

async function connect(): Promise<PeerTransport> {
  // The other end is made to send as well; as an answer to us it says that it receives.
  const answer = await remote.peer.createAnswer(await viewer.describe());
  await viewer.peer.setAnswer(answer.replaceAll(/a=(inactive|sendonly)/g, "a=recvonly"));
  transport = await remote.transport;
  return transport;
}

function rtp(): Rtp[] {
  const keys = deriveKeys(transport!.receive, "rtp");
  return datagrams.filter(datagram => !isRtcp(datagram)).map(datagram => open(datagram, keys));
}

function open(datagram: Buffer, keys: ReturnType<typeof deriveKeys>): Rtp {
  const head = 16 + datagram.readUInt16BE(14) * 4;
  const iv = Buffer.alloc(12);
  datagram.copy(iv, 2, 8, 12);
  datagram.copy(iv, 10, 2, 4);
  for (let i = 0; i < 12; i++) iv[i] = iv[i]! ^ keys.salt[i]!;
  const decipher = createDecipheriv("aes-128-gcm", keys.key, iv, { authTagLength: 16 });
  decipher.setAAD(datagram.subarray(0, head));
  decipher.setAuthTag(datagram.subarray(-16));
  const payload = Buffer.concat([decipher.update(datagram.subarray(head, -16)), decipher.final()]);
  return {
    ssrc: datagram.readUInt32BE(8),
    sequence: datagram.readUInt16BE(2),
    payloadType: datagram[1]! & 0x7f,
    transportSequence: datagram.readUInt16BE(19),
    timestamp: datagram.readUInt32BE(4),
    payload,
  };
}

function rtcpTo(packet: Buffer, sealer: SrtcpSealer): void {
  remote.peer.sendRtcp(sealer.seal(packet));
}

const nack = (ssrc: number, sequence: number): Buffer => {
  const out = Buffer.from("81cd0003000000010000000000000000", "hex");
  out.writeUInt32BE(ssrc, 8);
  out.writeUInt16BE(sequence, 12);
  return out;
};
const pli = (ssrc: number): Buffer => {
  const out = Buffer.from("81ce00020000000100000000", "hex");
  out.writeUInt32BE(ssrc, 8);
  return out;
};

/** Transport-wide feedback on 14 packets from `base` on: those that arrived did so 5 ms apart. */
function feedback(base: number, count: number, arrived: (sequence: number) => boolean): Buffer {
  const deltas: number[] = [];
  const reference = Math.floor((base * 5) / 64);
  let bits = 0;
  let atMs = reference * 64;
  for (let sequence = base; sequence < base + count; sequence++) {
    const here = arrived(sequence);
    bits = (bits << 1) | (here ? 1 : 0);
    if (!here) continue;
    deltas.push((sequence * 5 - atMs) * 4);
    atMs = sequence * 5;
  }
  const bytes = 22 + deltas.length;
  const out = Buffer.alloc(Math.ceil(bytes / 4) * 4);
  out.writeUInt8(0x8f, 0);
  out.writeUInt8(205, 1);
  out.writeUInt16BE(out.length / 4 - 1, 2);
  out.writeUInt16BE(base, 12);
  out.writeUInt16BE(count, 14);
  out.writeIntBE(reference, 16, 3);
  out.writeUInt16BE(0x8000 | bits, 20);
  out.set(deltas, 22);
  return out;
}

describe("a viewer's packets", () => {
  it("begin, whole, with a keyframe that the viewer can decrypt", async () => {
    await connect();
    await vi.waitFor(() => expect(rtp().length).toBeGreaterThan(20));
    const video = rtp().filter(packet => packet.payloadType === 102);
    expect(video[0]!.payload[0]! & 31).toBe(24);
    for (let i = 1; i < video.length; i++) {
      expect((video[i]!.sequence - video[i - 1]!.sequence) & 0xffff).toBe(1);
    }
    expect(told.map(message => message.type)).toEqual(expect.arrayContaining(["connected", "started"]));
  });

  it("come with sender reports that name one moment for sound and pictures", async () => {
    await connect();
    const opener = new SrtcpOpener(deriveKeys(transport!.receive, "rtcp"));
    const reports: Buffer[] = [];
    await vi.waitFor(() => {
      for (const datagram of datagrams.splice(0)) {
        const report = isRtcp(datagram) ? opener.open(datagram) : undefined;
        if (report?.[1] === 200) reports.push(report);
      }
      expect(reports.length).toBeGreaterThanOrEqual(4);
    }, 5000);
    const [first, second, third, fourth] = reports;
    expect(first!.subarray(8, 16)).toEqual(second!.subarray(8, 16));
    expect(third!.subarray(8, 16)).toEqual(fourth!.subarray(8, 16));
    const seconds = (from: Buffer, to: Buffer, rate: number): number =>
      ((to.readUInt32BE(16) - from.readUInt32BE(16)) >>> 0) / rate;
    // The same time has passed in both clocks.
    expect(seconds(first!, third!, 90_000)).toBeCloseTo(seconds(second!, fourth!, 48_000), 3);
    expect(first!.toString("latin1", 38)).toBe(second!.toString("latin1", 38));
  });

  it("are sent again when they are lost: on a stream of their own, once, with a new transport number", async () => {
    const { send } = await connect();
    const sealer = new SrtcpSealer(deriveKeys(send, "rtcp"));
    await vi.waitFor(() => expect(rtp().length).toBeGreaterThan(20));
    const lost = rtp().find(packet => packet.payloadType === 102)!;
    for (let i = 0; i < 3; i++) rtcpTo(nack(lost.ssrc, lost.sequence), sealer);
    const again = (): Rtp[] => rtp().filter(packet => packet.payloadType === RTX_PAYLOAD_TYPE);
    await vi.waitFor(() => expect(again()).toHaveLength(1));
    await vi.waitFor(() => expect(viewer.stats(performance.now()).nacks).toBe(3));
    const [copy] = again();
    expect(copy!.payload.readUInt16BE(0)).toBe(lost.sequence);
    expect(copy!.payload.subarray(2)).toEqual(lost.payload);
    expect(copy!.timestamp).toBe(lost.timestamp);
    expect(copy!.ssrc).not.toBe(lost.ssrc);
    expect(copy!.transportSequence).not.toBe(lost.transportSequence);
    expect(viewer.stats(performance.now()).retransmitted).toBe(1);
    const numbers = rtp().map(packet => packet.transportSequence);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it("step back to a keyframe for a viewer that lost its own", async () => {
    const { send } = await connect();
    const sealer = new SrtcpSealer(deriveKeys(send, "rtcp"));
    const keys = (): number => rtp().filter(packet => (packet.payload[0]! & 31) === 24).length;
    await vi.waitFor(() => expect(rtp().length).toBeGreaterThan(60));
    const before = keys();
    rtcpTo(pli(rtp().find(packet => packet.payloadType === 102)!.ssrc), sealer);
    await vi.waitFor(() => expect(viewer.stats(performance.now()).keyframeRequests).toBe(1));
    await vi.waitFor(() => expect(keys()).toBe(before + 1));
  });

  it("are followed by an estimate of the path, and by none before the viewer has told of it", async () => {
    const { send } = await connect();
    const sealer = new SrtcpSealer(deriveKeys(send, "rtcp"));
    await vi.waitFor(() => expect(rtp().length).toBeGreaterThan(60), 5000);
    expect(viewer.stats(performance.now())).toMatchObject({ estimateBps: undefined, limitBps: undefined });
    const remb = Buffer.from("8fce0005000000010000000052454d4201000000ffffffff", "hex");
    // Mantissa 50,000, exponent 3.
    remb.writeUIntBE((3 << 18) | 50_000, 17, 3);
    rtcpTo(remb, sealer);
    await vi.waitFor(
      () =>
        expect(viewer.stats(performance.now())).toMatchObject({
          estimateBps: 400_000,
          estimateCause: "remb",
          limitBps: 400_000,
        }),
      5000,
    );
  });

  it("of sound bring the one before along while the path loses at random, and not before", async () => {
    const { send } = await connect();
    const sealer = new SrtcpSealer(deriveKeys(send, "rtcp"));
    const sound = (payloadType: number): Rtp[] => rtp().filter(packet => packet.payloadType === payloadType);
    await vi.waitFor(() => expect(sound(111).length).toBeGreaterThan(10), 5000);
    expect(sound(63)).toEqual([]);
    // Each tenth packet is told to be missing.
    let next = 0;
    const tell = setInterval(() => {
      const numbers = rtp().map(packet => packet.transportSequence);
      const last = Math.max(...numbers);
      if (last < next + 14) return;
      rtcpTo(
        feedback(next, 14, sequence => sequence % 10 !== 3),
        sealer,
      );
      next += 14;
    }, 20);
    try {
      await vi.waitFor(() => expect(sound(63).length).toBeGreaterThan(3), 15_000);
    } finally {
      clearInterval(tell);
    }
    const [packet] = sound(63);
    const { payload, timestamp } = packet!;
    expect(payload[0]).toBe(0x80 | 111);
    const [distance, bytes] = [payload.readUIntBE(1, 3) >>> 10, payload.readUIntBE(1, 3) & 0x3ff];
    const before = rtp().find(each => each.ssrc === packet!.ssrc && each.timestamp === timestamp - distance)!;
    expect(before.payloadType).toBe(111);
    expect(payload.subarray(5, 5 + bytes)).toEqual(before.payload);
    expect(viewer.stats(performance.now()).soundRepeated).toBeGreaterThan(3);
  });

  it("end with the viewer, and everything is given back", async () => {
    await connect();
    await vi.waitFor(() => expect(rtp().length).toBeGreaterThan(5));
    await viewer.close();
    const { packets } = egress.stats;
    viewer.tick(performance.now());
    expect(egress.stats.packets).toBe(packets);
    expect(cache.size).toBe(0);
    expect(ends.muxes[0].size).toBe(0);
  });
});

describe("control over the data channel", () => {
  it("greets with the tracks, answers commands by id, and unknown ones with a code", async () => {
    await connect();
    await remote.controlOpen;
    const said = (): Record<string, unknown>[] =>
      remote.messages.map(text => JSON.parse(text ?? "{}") as Record<string, unknown>);
    await vi.waitFor(() => expect(said()[0]).toMatchObject({ type: "tracks" }));
    remote.peer.sendControl('{"type":"pause","id":"p1"}');
    remote.peer.sendControl('{"type":"dance"}');
    remote.peer.sendControl('{"type":"seek","positionSeconds":7.5,"id":"s1"}');
    await vi.waitFor(() => {
      expect(said()).toContainEqual(expect.objectContaining({ id: "p1", type: "state", state: "paused" }));
      expect(said()).toContainEqual(expect.objectContaining({ type: "error", code: "INVALID_REQUEST" }));
      expect(said()).toContainEqual(
        expect.objectContaining({ id: "s1", positionSeconds: 7.5, state: "paused" }),
      );
    });
  });

  it("tells the viewer where it plays, and the main thread once that follows", async () => {
    await connect();
    await remote.controlOpen;
    const positions = (): number => remote.messages.filter(text => text?.includes('"position"')).length;
    const toldPositions = (): number =>
      told.filter(message => message.type === "event" && message.event.type === "position").length;
    await vi.waitFor(() => expect(positions()).toBeGreaterThan(1), 5000);
    expect(toldPositions()).toBe(0);
    viewer.follow();
    await vi.waitFor(() => expect(toldPositions()).toBeGreaterThan(1), 5000);
  });

  it("takes a hundred commands a second, and says when there are more", async () => {
    await connect();
    await remote.controlOpen;
    // All within one second of the viewer's clock, however long they take on a busy machine.
    const atMs = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => atMs);
    for (let i = 0; i < 130; i++) remote.peer.sendControl(`{"type":"get_state","id":"${i}"}`);
    const refused = (): boolean => remote.messages.some(text => text?.includes("LIMIT_REACHED"));
    await vi.waitFor(() => expect(refused()).toBe(true), { timeout: 15_000 });
    vi.restoreAllMocks();
  });
});
