import { expect, test } from "vitest";
import { createPeer, type Peer, type PeerStream } from "../../../src/p2p/index.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../../src/core/index.ts";
import { TestClient } from "../../sockets/socket-server.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";

const TOKEN = "the-node-s-own-token";
const PROTOCOL = "/ipfs-kit/events/1.0.0";
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };

/** A stream of lines, as any libp2p program would read it. */
class Lines {
  readonly #stream: PeerStream;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  #ended = false;

  constructor(stream: PeerStream) {
    this.#stream = stream;
    let rest = "";
    const end = (): void => {
      this.#ended = true;
      for (const wake of this.#waiting.splice(0)) wake(undefined);
    };
    stream.consume({
      onData: chunk => {
        const parts = (rest + Buffer.from(chunk).toString("utf8")).split("\n");
        rest = parts.pop() ?? "";
        for (const text of parts) {
          const wake = this.#waiting.shift();
          if (wake === undefined) this.#lines.push(text);
          else wake(text);
        }
      },
      onEnd: end,
      onClose: end,
    });
  }

  send(value: unknown): void {
    this.#stream.send(Buffer.from(`${typeof value === "string" ? value : JSON.stringify(value)}\n`));
  }

  /** The next frame; undefined at the end. */
  async next(): Promise<Record<string, unknown> | undefined> {
    const text =
      this.#lines.shift() ??
      (this.#ended
        ? undefined
        : await new Promise<string | undefined>(resolve => this.#waiting.push(resolve)));
    return text === undefined ? undefined : JSON.parse(text);
  }
}

async function guest(): Promise<Peer> {
  const none = { has: () => false, get: async () => undefined, put: async () => undefined };
  const peer = createPeer({ listen: [] })({
    blocks: none,
    events: new EventBus(silentLogger),
    log: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  await peer.start();
  return peer;
}

async function open(peer: Peer, served: ServedNode, token?: string, tenantId?: string): Promise<Lines> {
  const address = String(served.node.peer?.multiaddrs[0]);
  const { peerId } = await peer.connectToPeer(address);
  const lines = new Lines(await peer.newStream(peerId, PROTOCOL));
  lines.send({ action: "authenticate", ...(token && { token }), ...(tenantId && { tenant_id: tenantId }) });
  return lines;
}

test("a peer with the node's token gets events, and goes on where a WebSocket ended", async () => {
  await using served = await serveNode({ token: TOKEN, p2p: P2P });
  const peer = await guest();
  const { notify } = served.node;
  const socket = await TestClient.open(`${served.wsUrl}/ws/notifications?token=${TOKEN}`);
  await socket.next();
  socket.send({ action: "subscribe", notification_types: ["system_info"] });
  await socket.next();
  notify?.emitEvent("system_info", { message: "by WebSocket" });
  const { offset } = await socket.next();
  const { epoch } = await (async () => {
    socket.send({ action: "ping" });
    return socket.next();
  })();
  await socket.close();
  notify?.emitEvent("system_info", { message: "while nobody listened" });
  const lines = await open(peer, served, TOKEN);
  expect(await lines.next()).toMatchObject({ type: "welcome", epoch });
  lines.send({ action: "subscribe", notification_types: ["system_info"], resume: { epoch, offset } });
  expect(await lines.next()).toMatchObject({ type: "subscription_confirmed", resumed: true });
  expect(await lines.next()).toMatchObject({ data: { message: "while nobody listened" } });
  notify?.emitEvent("system_info", { message: "by libp2p" });
  expect(await lines.next()).toMatchObject({ data: { message: "by libp2p" } });
  lines.send("no json");
  expect(await lines.next()).toMatchObject({ type: "error", error: "Invalid JSON message" });
  expect(notify?.notifications.connections).toBe(1);
  await peer.stop();
  await expect.poll(() => notify?.notifications.connections).toBe(0);
});

test("a tenant gets its own events, until its token is revoked", async () => {
  await using served = await serveNode({ p2p: P2P });
  const { tenancy, notify } = served.node;
  const peer = await guest();
  const tenant = await tenancy!.tenants.create({ name: "acme" });
  const created = await tenancy!.tokens.create({
    tenantId: tenant.id,
    scopes: ["events"],
    expiresInDays: null,
  });
  const lines = await open(peer, served, created.token, tenant.id);
  expect(await lines.next()).toMatchObject({ type: "welcome" });
  lines.send({ action: "subscribe", notification_types: ["system_info"] });
  await lines.next();
  notify?.emitEvent("system_info", { message: "the owner's" });
  notify?.emitEvent("system_info", { message: "acme's" }, { tenantId: tenant.id });
  expect(await lines.next()).toMatchObject({ data: { message: "acme's" } });
  await tenancy!.revokeToken(created.id);
  expect(await lines.next()).toEqual({ type: "closed", code: 4001, reason: "Invalid or expired token" });
  expect(await lines.next()).toBeUndefined();
  await peer.stop();
});

test.each([
  ["without a token", undefined, "FORBIDDEN"],
  ["with a wrong token", "wrong", "UNAUTHENTICATED"],
  ["with a wrong token of a tenant", "cct_wrong", "UNAUTHENTICATED"],
])("a peer %s gets none", async (_, token, code) => {
  await using served = await serveNode({ token: TOKEN, p2p: P2P });
  const peer = await guest();
  const lines = await open(peer, served, token);
  expect(await lines.next()).toMatchObject({ type: "error", code });
  expect(await lines.next()).toBeUndefined();
  await peer.stop();
});

test("a peer that sends too long a line, or too much before it is known, is cut off", async () => {
  await using served = await serveNode({ token: TOKEN, p2p: P2P });
  const peer = await guest();
  const long = await open(peer, served, TOKEN);
  await long.next();
  long.send("x".repeat(65 * 1024));
  expect(await long.next()).toBeUndefined();
  const { peerId } = await peer.connectToPeer(String(served.node.peer?.multiaddrs[0]));
  const early = new Lines(await peer.newStream(peerId, PROTOCOL));
  early.send("x".repeat(65 * 1024));
  expect(await early.next()).toMatchObject({ type: "error", code: "PAYLOAD_TOO_LARGE" });
  const nonsense = new Lines(await peer.newStream(peerId, PROTOCOL));
  nonsense.send("hello");
  expect(await nonsense.next()).toMatchObject({ type: "error", code: "INVALID_REQUEST" });
  await peer.stop();
});
