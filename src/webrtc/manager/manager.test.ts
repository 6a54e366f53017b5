import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import type { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import {
  EventBus,
  noMetrics,
  ownerPrincipal,
  silentLogger,
  toCidcastError,
  VirtualClock,
} from "../../core/index.ts";
import { loadNative } from "../rtp/egress/index.ts";
import { type FakeMedia, fakeMedia } from "../testing/fake-media.ts";
import { twoEnds, watched } from "../testing/pairs.ts";
import type { WebRTCEvents } from "../types.ts";
import {
  createWebRTCStreamingManager,
  type RunningWebRTC,
  type WebRTCStreamingManagerInit,
} from "./manager.ts";
import { qualityScore } from "./connection-stats.ts";
import { MAX_SDP_LENGTH, MAX_WAITING_JOINS } from "./limits.ts";

const INIT = { cid: "film", owner: "somebody", principal: ownerPrincipal };
let manager: RunningWebRTC | undefined;
afterEach(() => manager?.stop());

interface Running {
  readonly manager: RunningWebRTC;
  readonly events: EventBus<WebRTCEvents>;
  readonly seen: string[];
}

async function start(media: FakeMedia, init: Partial<WebRTCStreamingManagerInit> = {}): Promise<Running> {
  const events = new EventBus<WebRTCEvents>(silentLogger);
  const seen: string[] = [];
  events.onAny(event => seen.push(event.type));
  const create = createWebRTCStreamingManager({ host: "127.0.0.1", udpPort: 0, warmUp: false, ...init });
  manager = await create({ media, events, log: silentLogger, metrics: noMetrics });
  return { manager, events, seen };
}

describe.each([
  ["a thread of its own", 1, "auto"],
  ["a thread of its own, in plain JavaScript", 1, "js"],
  ["the calling thread", 0, "auto"],
  ["three threads", 3, "auto"],
] as const)("media from %s", { timeout: 60_000 }, (_where, workers, egress) => {
  it("answers a viewer's offer, plays, and gives everything back", async () => {
    const media = fakeMedia();
    const { manager: running, events, seen } = await start(media, { workers, egress, warmUp: true });
    await using ends = await twoEnds();
    const packets = Promise.withResolvers<void>();
    let count = 0;
    const viewer = watched(ends.factories[1], {
      onMedia: () => {
        count++;
        if (count === 20) packets.resolve();
      },
    });
    // The other end is made to send as well; as a viewer it says that it receives.
    const offerSdp = (await viewer.peer.createOffer()).replaceAll("a=sendonly", "a=recvonly");
    const { session, sdp } = await running.createAnswer({ ...INIT, offerSdp });
    const started = events.next("webrtc_stream_started");
    await viewer.peer.setAnswer(sdp);
    await Promise.all([started, packets.promise]);
    expect(await session.stats()).toMatchObject({ active: true, streams_active: 2, state: "connected" });
    const closed = events.next("webrtc_connection_closed");
    await running.closeOwner(INIT.owner, "gone");
    expect(await closed).toEqual({ pc_id: session.id, cid: "film", reason: "gone" });
    expect(seen).toEqual([
      "webrtc_connection_created",
      "webrtc_offer",
      "webrtc_connection_established",
      "webrtc_connected",
      "webrtc_stream_started",
      "webrtc_stream_ended",
      "webrtc_connection_closed",
    ]);
    expect(media.openSources()).toBe(0);
    expect(await running.hostStats()).toMatchObject({ sessions: 0, segments: 0, errors: 0 });
    expect((await running.globalMetrics())["total_frames_sent"]).toBeGreaterThan(0);
    await viewer.peer.close();
  });
});

describe("a session", () => {
  it("ends, with the reason, when its media cannot be read", async () => {
    const media = fakeMedia({
      before: () => {
        throw new Error("the disk is gone");
      },
    });
    const { manager: running, events } = await start(media, { workers: 0 });
    const [failed, closed] = [events.next("webrtc_error"), events.next("webrtc_connection_closed")];
    await running.createOffer(INIT);
    expect(await failed).toMatchObject({ code: "INTERNAL", message: "the disk is gone" });
    await closed;
    await expect.poll(() => media.openSources()).toBe(0);
  });

  it("is not reached by another owner, and closes once", async () => {
    const { manager: running } = await start(fakeMedia(), { workers: 0 });
    const { session } = await running.createOffer(INIT);
    expect(running.session(session.id, "another")).toBeUndefined();
    expect(running.session(session.id, INIT.owner)).toBe(session);
    await Promise.all([session.close(), session.close()]);
    await expect(session.answer("v=0")).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
  });

  it("takes one answer", async () => {
    const { manager: running } = await start(fakeMedia(), { workers: 0 });
    await using ends = await twoEnds();
    const viewer = watched(ends.factories[0]);
    const { session, sdp } = await running.createOffer(INIT);
    const answer = await viewer.peer.createAnswer(sdp);
    await session.answer(answer);
    await expect(session.answer(answer)).rejects.toMatchObject({ code: "CONFLICT" });
    await viewer.peer.close();
  });

  it("takes descriptions up to a length, the viewer's offer and its answer", async () => {
    const { manager: running } = await start(fakeMedia(), { workers: 0 });
    const long = "v=0".padEnd(MAX_SDP_LENGTH + 1, "a");
    const tooLong = expect.objectContaining({
      code: "INVALID_SDP",
      message: expect.stringContaining("at most"),
    });
    await expect(running.createAnswer({ ...INIT, offerSdp: long })).rejects.toEqual(tooLong);
    const { session } = await running.createOffer(INIT);
    await expect(session.answer(long)).rejects.toEqual(tooLong);
  });

  it("carries the tracks that were named, and says which it does not know", async () => {
    const { manager: running } = await start(fakeMedia(), { workers: 0 });
    const { sdp } = await running.createOffer({ ...INIT, trackIds: ["a0"] });
    expect(sdp).not.toContain("m=video");
    await expect(running.createOffer({ ...INIT, trackIds: ["v7"] })).rejects.toMatchObject({
      code: "TRACK_NOT_FOUND",
    });
    const silent = await start(fakeMedia({ kinds: ["video"] }), { workers: 0 });
    await expect(silent.manager.createOffer({ ...INIT, kind: "audio" })).rejects.toMatchObject({
      code: "TRACK_NOT_FOUND",
    });
    await running.stop();
  });
});

describe("places", () => {
  it("of one network address are as many as the setting says", async () => {
    const { manager: running } = await start(fakeMedia(), { workers: 0, maxSessionsPerAddress: 2 });
    const from = (address: string | undefined) => running.createOffer({ ...INIT, address });
    await from("192.0.2.1");
    const { session } = await from("192.0.2.1");
    await expect(from("192.0.2.1")).rejects.toMatchObject({ code: "BUSY", retryAfterSeconds: 5 });
    await Promise.all([from("192.0.2.2"), from(undefined)]);
    await session.close();
    await from("192.0.2.1");
  });

  it("are given in turn, and who comes when too many wait is told when to come back", async () => {
    const clock = new VirtualClock();
    const media = fakeMedia();
    const create = createWebRTCStreamingManager({
      host: "127.0.0.1",
      udpPort: 0,
      warmUp: false,
      workers: 0,
      joinsPerSecond: 10,
      maxSessionsPerOwner: 500,
    });
    const parts = { events: new EventBus<WebRTCEvents>(silentLogger), log: silentLogger, metrics: noMetrics };
    manager = await create({ media, clock, ...parts });
    const running = manager;
    const joined = Promise.all(Array.from({ length: 8 }, () => running.createOffer(INIT)));
    const waiting = Array.from({ length: MAX_WAITING_JOINS }, () => running.createOffer(INIT));
    const settled = Promise.allSettled(waiting);
    await expect(running.createOffer(INIT)).rejects.toMatchObject({ code: "BUSY", retryAfterSeconds: 13 });
    await joined;
    expect(running.sessions()).toHaveLength(8);
    clock.advance(100);
    await waiting[0];
    expect(running.sessions()).toHaveLength(9);
    await running.stop();
    const codes = (await settled).map(result => (result.status === "rejected" ? result.reason.code : ""));
    expect(new Set(codes)).toEqual(new Set(["", "SHUTTING_DOWN"]));
    expect(media.openSources()).toBe(0);
  });
});

async function bound(port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

// Threads load the whole media path: on a busy machine that takes seconds each.
describe("several media threads", { timeout: 60_000 }, () => {
  it("have a port each, and share the sessions evenly", async () => {
    const { manager: running } = await start(fakeMedia(), { workers: 3 });
    const ports = running.addresses.map(address => address.port);
    expect(new Set(ports).size).toBe(3);
    const offers: string[] = [];
    for (let i = 0; i < 6; i++) offers.push((await running.createOffer(INIT)).sdp);
    const offered = offers.map(sdp => ports.find(port => sdp.includes(` ${port} typ host`)));
    for (const port of ports) expect(offered.filter(candidate => candidate === port)).toHaveLength(2);
    expect(await running.hostStats()).toMatchObject({ sessions: 6 });
    const [first] = running.sessions();
    await first?.close();
    const { sdp } = await running.createOffer(INIT);
    expect(sdp).toContain(` ${offered[0]} typ host`);
  });

  it("take the ports after the first, all of them or none", async () => {
    // The port after ours is taken: the first thread must not stay.
    let taken = await bound(0);
    // The one before must be free to begin with.
    for (let free = false; !free; ) {
      const before = await bound(taken.address().port - 1).catch(() => undefined);
      free = before !== undefined;
      before?.close();
      if (free) continue;
      taken.close();
      taken = await bound(0);
    }
    const next = taken.address().port;
    await expect(start(fakeMedia(), { workers: 2, udpPort: next - 1 })).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
    });
    taken.close();
    await once(taken, "close");
    const { manager: running } = await start(fakeMedia(), { workers: 2, udpPort: next - 1 });
    expect(running.addresses.map(address => address.port)).toEqual([next - 1, next]);
  });

  it.each([1, 3])(
    "of %i, one that dies takes its viewers only, and another takes its place",
    async workers => {
      const threads: Worker[] = [];
      const onWorker = (worker: Worker): void => void threads.push(worker);
      process.on("worker", onWorker);
      const { manager: running, events } = await start(fakeMedia(), { workers });
      process.off("worker", onWorker);
      const sessions = [];
      for (let i = 0; i < workers; i++) sessions.push((await running.createOffer(INIT)).session);
      const ended = events.next("webrtc_connection_closed");
      await threads[0]?.terminate();
      const { pc_id, reason } = await ended;
      expect(reason).toMatch(/media thread has ended/);
      const left = sessions.filter(session => session.id !== pc_id);
      expect(running.sessions()).toEqual(left);
      for (const session of left) await session.stats();
      const [coming] = await Promise.allSettled([running.createOffer(INIT)]);
      const told = coming.status === "rejected" ? toCidcastError(coming.reason) : undefined;
      // Where it was the only one, who comes is told when to try again.
      expect([told?.code, told?.retryAfterSeconds]).toEqual(
        workers === 1 ? ["BUSY", 2] : [undefined, undefined],
      );
      await expect.poll(() => running.addresses.length, { timeout: 60_000 }).toBe(workers);
      for (let i = 0; i < workers; i++) await running.createOffer(INIT);
      expect((await running.hostStats()).sessions).toBe(running.sessions().length);
    },
  );

  it("do not go beyond the last port", async () => {
    await expect(start(fakeMedia(), { workers: 3, udpPort: 65_534 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });
});

describe("the egress", () => {
  it.each([
    ["js", 0],
    ["batched", 1],
  ] as const)("%s is said and counted as such", async (egress, batched) => {
    if (egress === "batched" && !(await loadNative().then(Boolean, () => false))) return;
    const gauges = new Map<string, (() => number) | undefined>();
    const shown = new Map<string, number>();
    let update = (): Promise<void> => Promise.resolve();
    const counted: Record<string, number> = {};
    const create = createWebRTCStreamingManager({ host: "127.0.0.1", udpPort: 0, warmUp: false, egress });
    manager = await create({
      media: fakeMedia(),
      events: new EventBus<WebRTCEvents>(silentLogger),
      log: silentLogger,
      metrics: {
        ...noMetrics,
        counter: ({ name }) => ({
          add: (value = 1, { outcome = "" } = {}) => {
            counted[`${name} ${outcome}`] = (counted[`${name} ${outcome}`] ?? 0) + value;
          },
        }),
        gauge: init => {
          gauges.set(init.name, init.collect);
          return { set: value => void shown.set(init.name, value) };
        },
        beforeScrape: given => void (update = given),
      },
    });
    expect(manager.egress).toBe(egress);
    expect(await manager.hostStats()).toMatchObject({ egress });
    expect(gauges.get("cidcast_webrtc_egress_batched")?.()).toBe(batched);
    const tcpConnections = async (): Promise<number | undefined> => {
      await update();
      return shown.get("cidcast_webrtc_tcp_connections");
    };
    expect(await tcpConnections()).toBe(0);
    const [{ host, port } = { host: "", port: 0 }] = manager.addresses;
    const viewer = connect(port, host);
    await once(viewer, "connect");
    await expect.poll(tcpConnections).toBe(1);
    const stranger = createSocket("udp4");
    stranger.send(Buffer.from([128, 96, 0, 0]), port, host);
    await expect
      .poll(async () => (await tcpConnections(), counted["cidcast_webrtc_datagrams_total unknown"]))
      .toBe(1);
    stranger.close();
    viewer.destroy();
  });

  it("goes over UDP alone where TCP is off, or its port is taken by another program", async () => {
    const { manager: off } = await start(fakeMedia(), { tcp: false });
    const { session, sdp } = await off.createOffer(INIT);
    expect(sdp).toMatch(/ udp /i);
    expect(sdp).not.toMatch(/ tcp /i);
    await session.close();
    await off.stop();
    // A number that is free for UDP, and taken for TCP.
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { manager: without } = await start(fakeMedia(), { udpPort: port });
    const opened = await without.createOffer(INIT);
    expect(opened.sdp).not.toMatch(/ tcp /i);
    expect(opened.sdp).toContain(` ${port} typ host`);
    await opened.session.close();
    other.close();
  });
});

describe("the quality score", () => {
  it("takes off what existing clients take off", () => {
    expect(qualityScore(0, 0, 0)).toBe(100);
    expect(qualityScore(6, 160, 3)).toBe(70);
    expect(qualityScore(30, 600, 20)).toBe(0);
  });
});
