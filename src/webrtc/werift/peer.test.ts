import { Socket } from "node:dgram";
import { RTCPeerConnection } from "werift";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isCidcastError } from "../../core/index.ts";
import { type Ends, twoEnds, watched } from "../testing/pairs.ts";
import { MAX_CANDIDATES } from "./peer.ts";

let ends: Ends | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await ends?.[Symbol.asyncDispose]();
  ends = undefined;
});

async function setUp(): Promise<Ends> {
  ends = await twoEnds();
  return ends;
}

const withoutCandidates = (sdp: string): string =>
  sdp
    .split("\r\n")
    .filter(line => !line.startsWith("a=candidate"))
    .join("\r\n");
const candidatesOf = (sdp: string): string[] =>
  [...new Set(sdp.split("\r\n").filter(line => line.startsWith("a=candidate")))].map(line => line.slice(2));

describe("a connection", () => {
  it("comes to be with candidates before, during and after the answer, ten times of ten", async () => {
    const { factories } = await setUp();
    for (let round = 0; round < 10; round++) {
      const [server, viewer] = [watched(factories[0]), watched(factories[1])];
      const answer = await viewer.peer.createAnswer(await server.peer.createOffer());
      const [candidate] = candidatesOf(answer);
      const add = () => server.peer.addCandidate({ candidate: candidate!, sdpMid: "0", sdpMLineIndex: 0 });
      const steps = [add(), server.peer.setAnswer(withoutCandidates(answer)), add()];
      const settled = await Promise.all([...steps, server.transport, viewer.transport]);
      expect(settled.at(-1)).toMatchObject({ dtlsRole: "client" });
      await Promise.all([server.peer.close(), viewer.peer.close()]);
    }
  });

  it("does not look up names of multicast DNS, and needs no candidate of the viewer's", async () => {
    const { factories } = await setUp();
    const [server, viewer] = [watched(factories[0]), watched(factories[1])];
    const answer = await viewer.peer.createAnswer(await server.peer.createOffer());
    const local = "candidate:1 1 udp 2113937151 0b1c9d6e-1111-4222-8333-444455556666.local 50000 typ host";
    const sdp = `${withoutCandidates(answer)}a=${local}\r\na=end-of-candidates\r\n`;
    await server.peer.setAnswer(sdp);
    await server.peer.addCandidate({ candidate: local, sdpMLineIndex: 0 });
    await server.peer.addCandidate({ candidate: "", sdpMLineIndex: 0 });
    const [ours] = await Promise.all([server.transport, viewer.transport]);
    expect(ours.port).toBe(ends?.muxes[1].address.port);
    await Promise.all([server.peer.close(), viewer.peer.close()]);
  });

  it("passes over candidates beyond their number", async () => {
    const { factories } = await setUp();
    const [server, viewer] = [watched(factories[0]), watched(factories[1])];
    const answer = await viewer.peer.createAnswer(await server.peer.createOffer());
    await server.peer.setAnswer(withoutCandidates(answer));
    const taken = vi.spyOn(RTCPeerConnection.prototype, "addIceCandidate");
    for (let port = 1; port <= MAX_CANDIDATES + 5; port++) {
      const candidate = `candidate:1 1 udp 1 192.0.2.1 ${port} typ host`;
      await server.peer.addCandidate({ candidate, sdpMLineIndex: 0 });
    }
    expect(taken).toHaveBeenCalledTimes(MAX_CANDIDATES);
    taken.mockRestore();
    await Promise.all([server.peer.close(), viewer.peer.close()]);
  });

  it("carries control messages both ways on a channel that is in the offer", async () => {
    const { factories } = await setUp();
    const [server, viewer] = [watched(factories[0]), watched(factories[1])];
    const offer = await server.peer.createOffer();
    expect(offer).toContain("webrtc-datachannel");
    await server.peer.setAnswer(await viewer.peer.createAnswer(offer));
    await Promise.all([server.controlOpen, viewer.controlOpen]);
    expect(server.peer.sendControl("from server")).toBe(true);
    expect(viewer.peer.sendControl("from viewer")).toBe(true);
    await vi.waitFor(() => {
      expect(viewer.messages).toContain("from server");
      expect(server.messages).toContain("from viewer");
    });
    await Promise.all([server.peer.close(), viewer.peer.close()]);
  });

  it("sends nothing once it is closed, and gives its place on the port back", async () => {
    const { factories } = await setUp();
    const [server, viewer] = [watched(factories[0]), watched(factories[1])];
    await server.peer.setAnswer(await viewer.peer.createAnswer(await server.peer.createOffer()));
    await Promise.all([server.transport, viewer.transport]);
    expect(server.peer.path()).toBeDefined();
    await server.peer.close();
    expect(server.peer.path()).toBeUndefined();
    expect(server.peer.sendControl("late")).toBe(false);
    await expect(server.peer.setAnswer("v=0")).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
    await viewer.peer.close();
    expect(ends?.muxes.map(mux => mux.size)).toEqual([0, 0]);
  });
});

describe("an offer", () => {
  it("asks nobody for addresses: no packet leaves while it is made", async () => {
    const sent = vi.spyOn(Socket.prototype, "send");
    const { factories } = await setUp();
    const { peer } = watched(factories[0]);
    const offer = await peer.createOffer();
    expect(sent).not.toHaveBeenCalled();
    expect(candidatesOf(offer)).toHaveLength(1);
    expect(candidatesOf(offer)[0]).toContain("127.0.0.1");
    await peer.close();
  });

  it("gives one number to each header extension in all sections", async () => {
    const { factories } = await setUp();
    const { peer } = watched(factories[0]);
    const sections = (await peer.createOffer()).split("\r\nm=").slice(1);
    const extensions = sections
      .map(section => section.split("\r\n").filter(line => line.startsWith("a=extmap:")))
      .filter(lines => lines.length > 0);
    expect(extensions).toHaveLength(2);
    expect(extensions[0]).toEqual(extensions[1]);
    expect(new Set(extensions[0]!.map(line => line.split(" ")[0])).size).toBe(extensions[0]!.length);
    await peer.close();
  });

  it("names only the codecs of its tracks, with retransmission for pictures, in one stream", async () => {
    const { factories } = await setUp();
    const { peer } = watched(factories[0]);
    const offer = await peer.createOffer();
    const codecs = offer.split("\r\n").filter(line => line.startsWith("a=rtpmap:"));
    expect(codecs.map(line => line.split(" ")[1])).toEqual([
      "H264/90000",
      "rtx/90000",
      "opus/48000/2",
      "red/48000/2",
    ]);
    expect(offer).toMatch(/a=ssrc-group:FID/);
    const streams = offer.split("\r\n").filter(line => line.startsWith("a=msid:"));
    expect(new Set(streams.map(line => line.split(" ")[0])).size).toBe(1);
    await peer.close();
  });

  it("is answered with sound that carries the packet before along where that was offered, and nowhere else", async () => {
    const { factories } = await setUp();
    for (const [change, answered] of [
      [(sdp: string) => sdp, true],
      [
        (sdp: string) =>
          sdp.replace(/^(m=audio .* 111) 63/m, "$1").replace(/^a=(rtpmap|fmtp):63 .*\r\n/gm, ""),
        false,
      ],
    ] as const) {
      const [viewer, node] = [watched(factories[0]), watched(factories[1])];
      const offer = change((await viewer.peer.createOffer()).replaceAll("a=sendonly", "a=recvonly"));
      const answer = await node.peer.createAnswer(offer);
      expect(answer.includes("red/48000")).toBe(answered);
      const sound = node.peer.streams().find(({ payloadType }) => payloadType === 111);
      expect(sound?.redPayloadType).toBe(answered ? 63 : undefined);
      await Promise.all([viewer.peer.close(), node.peer.close()]);
    }
  });

  it("has credentials that two of many viewers cannot share by chance", async () => {
    const { factories } = await setUp();
    const { peer } = watched(factories[0]);
    const ufrag = /a=ice-ufrag:(\S+)/.exec(await peer.createOffer())?.[1];
    expect(ufrag?.length).toBeGreaterThanOrEqual(12);
    await peer.close();
  });
});

describe("descriptions that cannot be used", () => {
  const head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
  it.each([
    ["no text", ""],
    ["no description", "hello"],
    ["no media section", head],
    ["no fingerprint", `${head}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n`],
    ["only a data channel", `${head}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`],
  ])("%s: INVALID_SDP for an offer", async (_name, sdp) => {
    const { factories } = await setUp();
    const { peer } = watched(factories[0]);
    const error = await peer.createAnswer(sdp).catch((caught: unknown) => caught);
    expect(isCidcastError(error, "INVALID_SDP")).toBe(true);
    await peer.close();
  });
});
