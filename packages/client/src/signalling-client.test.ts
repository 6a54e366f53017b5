import { once } from "node:events";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import {
  MAX_MESSAGE_CHARS,
  OFFER_TIMEOUT_MS,
  openSignalling,
  type SignallingClient,
  signallingUrl,
} from "./signalling-client.ts";

describe("signallingUrl", () => {
  it.each([
    ["http://127.0.0.1:8000", "ws://127.0.0.1:8000/webrtc"],
    ["https://node.example/", "wss://node.example/webrtc"],
    ["https://node.example/behind/a/proxy/", "wss://node.example/behind/a/proxy/webrtc"],
  ])("of %s", (node, url) => {
    expect(signallingUrl(node)).toBe(url);
  });
});

describe("openSignalling", () => {
  let server: WebSocketServer;
  let peer: WebSocket;
  let client: SignallingClient;
  let node: string;
  const received: unknown[] = [];

  beforeEach(async () => {
    received.length = 0;
    server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    node = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const connected = once(server, "connection");
    client = await openSignalling({ node });
    [peer] = await connected;
    peer.on("message", data => received.push(JSON.parse((data as Buffer).toString())));
  });
  afterEach(async () => {
    vi.useRealTimers();
    client.close();
    for (const socket of server.clients) socket.terminate();
    server.close();
    await once(server, "close");
  });
  const say = (message: unknown): void =>
    peer.send(typeof message === "string" ? message : JSON.stringify(message));
  const asked = (): Promise<unknown[]> => once(peer, "message");

  it("asks for an offer and resolves to it, whatever else is said before", async () => {
    const heard = asked();
    const offer = client.requestOffer({ cid: "bafy", startSeconds: 3 });
    await heard;
    expect(received).toEqual([{ type: "offer_request", cid: "bafy", startSeconds: 3 }]);
    say({ type: "welcome", client_id: "client_1" });
    say("not JSON");
    say({ type: "error", message: "about another session", code: "CONFLICT", pc_id: "pc_0" });
    say({ type: "offer", pc_id: "pc_1", sdp: "v=0", sdpType: "offer", extra: true });
    expect(await offer).toEqual({ pcId: "pc_1", sdp: "v=0", iceServers: [], qualities: [] });
  });

  it("turns an error into one of ours, by its code", async () => {
    const heard = asked();
    const offer = client.requestOffer({ cid: "bafy" });
    await heard;
    say({ type: "error", message: "nobody has it", code: "CONTENT_NOT_FOUND" });
    await expect(offer).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND", message: "nobody has it" });
  });

  it("takes a code it does not know for INTERNAL", async () => {
    const heard = asked();
    const offer = client.requestOffer({ cid: "bafy" });
    await heard;
    say({ type: "error", message: "from the future", code: "NEWER_THAN_THIS" });
    await expect(offer).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("keeps requests in order: each gets its own offer", async () => {
    let count = 0;
    peer.on("message", () => {
      count += 1;
      say({ type: "offer", pc_id: `pc_${count}`, sdp: `v=${count}`, sdpType: "offer" });
    });
    const offers = await Promise.all(["a", "b", "c"].map(cid => client.requestOffer({ cid })));
    expect(offers.map(offer => offer.pcId)).toEqual(["pc_1", "pc_2", "pc_3"]);
    expect(received.map(message => (message as { cid: string }).cid)).toEqual(["a", "b", "c"]);
  });

  it("ends a request when the socket goes, and says so once", async () => {
    const closes: unknown[] = [];
    client.on("close", error => closes.push(error.code));
    const heard = asked();
    const offer = client.requestOffer({ cid: "bafy" });
    await heard;
    peer.terminate();
    await expect(offer).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
    expect(closes).toEqual(["NODE_UNREACHABLE"]);
    expect(client.open).toBe(false);
    await expect(client.requestOffer({ cid: "bafy" })).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
  });

  it("ends a request by its signal, before and while it waits", async () => {
    const scope = new AbortController();
    const heard = asked();
    const offer = client.requestOffer({ cid: "bafy", signal: scope.signal });
    await heard;
    scope.abort();
    await expect(offer).rejects.toMatchObject({ code: "ABORTED" });
    await expect(client.requestOffer({ cid: "bafy", signal: scope.signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });

  it("waits for an offer no longer than its limit", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const heard = asked();
    const failure = client.requestOffer({ cid: "bafy" }).catch((error: unknown) => error);
    await heard;
    vi.advanceTimersByTime(OFFER_TIMEOUT_MS);
    expect(await failure).toMatchObject({ code: "TIMEOUT" });
  });

  it("passes over messages larger than its limit", async () => {
    const heard = asked();
    const offer = client.requestOffer({ cid: "bafy" });
    await heard;
    say({ type: "offer", pc_id: "large", sdp: "x".repeat(MAX_MESSAGE_CHARS), sdpType: "offer" });
    say({ type: "offer", pc_id: "small", sdp: "v=0", sdpType: "offer" });
    expect((await offer).pcId).toBe("small");
  });

  it("survives whatever a node sends", async () => {
    const heard = asked();
    const offer = client.requestOffer({ cid: "bafy" });
    await heard;
    const hostile = fc.sample(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.jsonValue().map(v => JSON.stringify({ type: v })),
      ),
      300,
    );
    for (const text of hostile) say(text);
    say({ type: "offer", pc_id: "pc_1", sdp: "v=0", sdpType: "offer" });
    expect((await offer).pcId).toBe("pc_1");
  });

  it("says that no node answers where none does", async () => {
    const closed = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, "close");
    await expect(openSignalling({ node: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: "NODE_UNREACHABLE",
    });
  });

  it("gives up opening by its signal", async () => {
    await expect(openSignalling({ node, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });
});
