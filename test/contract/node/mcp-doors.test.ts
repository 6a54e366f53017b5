import { createReadStream } from "node:fs";
import { PassThrough } from "node:stream";
import { CidcastClient, type RtcConfiguration } from "@cidcast/client";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startPeer, type TestPeer } from "../../../src/p2p/test-support.ts";
import { TestClient } from "../../sockets/socket-server.ts";
import { type DoorClient, type DoorTenant, type Json, mcpDoorSuite } from "../../suites/mcp-doors.ts";
import { captureLog } from "./captured-log.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";
import { makeTenant } from "./tenant-client.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);
const MCP_PROTOCOL = "/ipfs-kit/mcp/1.0.0";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

/** Everything the node writes while the suite runs, and what must not be in it. */
const captured = captureLog();
const secrets: string[] = [];
let served: ServedNode;
let asker: TestPeer;
let mapped: TestPeer;
let sample: string;

beforeAll(async () => {
  served = await serveNode(
    { webrtc: { enabled: true }, p2p: { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] } },
    captured.log,
  );
  sample = (await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" })).cid;
  [asker, mapped] = [await startPeer(), await startPeer()];
  for (const { peer } of [asker, mapped]) await peer.connectToPeer(address(served));
});
afterAll(async () => {
  for (const peer of [asker, mapped]) await peer?.peer.stop();
  await served?.[Symbol.asyncDispose]();
});

function address({ node }: ServedNode): string {
  return String(node.peer?.multiaddrs[0]);
}

async function tenant(scopes: readonly string[], at: ServedNode = served): Promise<DoorTenant> {
  const who = await makeTenant(at, scopes);
  secrets.push(who.token);
  return who;
}

/** Matches answers to what was asked, for carriers of messages. */
function matched(init: {
  send(text: string): void;
  readonly ended: Promise<void>;
  close(): Promise<void>;
}): DoorClient & { receive(text: string): void } {
  const waiting = new Map<unknown, (message: Json) => void>();
  let other: ((message: Json) => void) | undefined;
  return {
    ask(message) {
      const { promise, resolve } = Promise.withResolvers<Json>();
      waiting.set(message["id"], resolve);
      init.send(JSON.stringify(message));
      return promise;
    },
    raw(text) {
      const { promise, resolve } = Promise.withResolvers<Json>();
      other = resolve;
      init.send(text);
      return promise;
    },
    receive(text) {
      const message = JSON.parse(text) as Json;
      const answer = waiting.get(message["id"]);
      if (answer !== undefined) {
        waiting.delete(message["id"]);
        answer(message);
      } else other?.(message);
    },
    ended: init.ended,
    close: init.close,
  };
}

/** Cuts what comes into lines. */
function byLine(receive: (line: string) => void): (chunk: Uint8Array | string) => void {
  let rest = "";
  const decoder = new TextDecoder();
  return chunk => {
    rest += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) receive(line);
  };
}

async function webSocket({ token, tenantId }: DoorTenant): Promise<DoorClient> {
  const { ws } = await TestClient.open(`${served.wsUrl}/ws/mcp/?token=${token}&tenant_id=${tenantId}`);
  const ended = Promise.withResolvers<void>();
  const client = matched({
    send: text => ws.send(text),
    ended: ended.promise,
    async close() {
      ws.close();
      await ended.promise;
    },
  });
  ws.on("message", data => client.receive((data as Buffer).toString()));
  ws.on("close", () => ended.resolve());
  return client;
}

async function libp2p({ token, tenantId }: DoorTenant): Promise<DoorClient> {
  const client = await peerClient(asker);
  client.send(`${JSON.stringify({ action: "authenticate", token, tenant_id: tenantId })}\n`);
  return client;
}

async function peerClient(from: TestPeer, at = served): Promise<DoorClient & { send(text: string): void }> {
  const stream = await from.peer.newStream(at.node.peer?.id ?? "", MCP_PROTOCOL);
  const ended = Promise.withResolvers<void>();
  const send = (text: string): void => void stream.send(Buffer.from(text));
  const client = matched({
    send: text => send(`${text}\n`),
    ended: ended.promise,
    async close() {
      await stream.close();
      await ended.promise;
    },
  });
  stream.consume({
    onData: byLine(line => client.receive(line)),
    onEnd: () => ended.resolve(),
    onClose: () => ended.resolve(),
  });
  return { ...client, send };
}

async function dataChannel({ token, tenantId }: DoorTenant): Promise<DoorClient> {
  // Who comes by a data channel has come to watch.
  const { content } = served.node.tenancy!;
  await content.grant(tenantId, { cid: sample, name: undefined, size: 1, contentType: "video/mp4" });
  const watcher = new CidcastClient({ url: served.url, token });
  const stream = await watcher.streamContent(sample, {
    createPeerConnection: (configuration: RtcConfiguration) =>
      new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } }),
  });
  const channel = stream.connection.createDataChannel("mcp");
  const ended = Promise.withResolvers<void>();
  const client = matched({
    send(text) {
      // As browsers have to: no message beyond what the other side takes.
      for (let at = 0; at < text.length; at += 16_000) channel.send(text.slice(at, at + 16_000));
      channel.send("\n");
    },
    ended: ended.promise,
    async close() {
      stream.close();
      watcher.close();
    },
  });
  const receive = byLine(line => client.receive(line));
  channel.onMessage.subscribe(data => receive(data));
  const open = Promise.withResolvers<void>();
  channel.stateChange.subscribe(state => {
    if (state === "open") open.resolve();
    else if (state === "closed" || state === "closing") ended.resolve();
  });
  stream.on("close", () => ended.resolve());
  await open.promise;
  return client;
}

async function rpc({ token, tenantId }: DoorTenant): Promise<DoorClient> {
  const headers = {
    authorization: `Bearer ${token}`,
    "x-tenant-id": tenantId,
    "content-type": "application/json",
  };
  const raw = async (body: string): Promise<Json> => {
    const response = await fetch(`${served.url}/api/mcp/rpc/`, { method: "POST", headers, body });
    return (await response.json()) as Json;
  };
  return { ask: message => raw(JSON.stringify(message)), raw, ended: undefined, close: async () => {} };
}

async function streamableHttp({ token }: DoorTenant): Promise<DoorClient> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const raw = async (body: string): Promise<Json> => {
    const { method, params } = JSON.parse(body) as Json;
    const newest = params?._meta?.["io.modelcontextprotocol/protocolVersion"] as string | undefined;
    const response = await fetch(`${served.url}/mcp`, {
      method: "POST",
      headers: {
        ...headers,
        ...(newest && { "mcp-protocol-version": newest, "mcp-method": method }),
        ...(newest && params?.name && { "mcp-name": params.name }),
      },
      body,
    });
    const session = response.headers.get("mcp-session-id");
    if (session !== null) headers["mcp-session-id"] = session;
    const text = await response.text();
    const data = /^data: (\{.*\})$/m.exec(text)?.[1];
    return JSON.parse(data ?? text) as Json;
  };
  return { ask: message => raw(JSON.stringify(message)), raw, ended: undefined, close: async () => {} };
}

async function stdio({ token, tenantId }: DoorTenant): Promise<DoorClient> {
  const principal = await served.node.tenancy!.resolveToken(token, { tenantId, door: "cli" });
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const ended = served.node.mcp!.serveStdio({ stdin, stdout, principal });
  const client = matched({
    send: text => stdin.write(`${text}\n`),
    ended,
    async close() {
      stdin.end();
      await ended;
    },
  });
  stdout.on(
    "data",
    byLine(line => client.receive(line)),
  );
  return client;
}

const common = { node: () => served.node, tenant: (scopes: readonly string[]) => tenant(scopes) };
mcpDoorSuite("stdio", { ...common, open: stdio, carrier: "stdio", speaksNewest: true });
mcpDoorSuite("streamable HTTP", {
  ...common,
  open: streamableHttp,
  carrier: "streamable-http",
  speaksNewest: true,
});
mcpDoorSuite("POST /api/mcp/rpc/", { ...common, open: rpc, carrier: "rpc", speaksNewest: false });
mcpDoorSuite("WebSocket", { ...common, open: webSocket, carrier: "websocket", speaksNewest: true });
mcpDoorSuite("libp2p", { ...common, open: libp2p, carrier: "libp2p", speaksNewest: true });
mcpDoorSuite("a data channel", {
  ...common,
  open: dataChannel,
  // Watching needs a scope of its own.
  tenant: scopes => tenant([...scopes, "media"]),
  carrier: "data-channel",
  speaksNewest: true,
});

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};

test("a PeerId is no tenant: without a token, with a wrong one or one for watching, there is no mcp", async () => {
  const playback = await served.node.tenancy!.playback.create(
    { kind: "local", id: "owner", door: "embed", scopes: new Set(["*"]) },
    { cid: sample, expiresInSeconds: 60 },
  );
  for (const first of [
    INITIALIZE,
    { action: "authenticate" },
    { action: "authenticate", token: "cct_wrong" },
    { action: "authenticate", token: playback.token },
  ]) {
    const client = await peerClient(asker);
    const refused = await client.raw(JSON.stringify(first));
    expect(refused).toMatchObject({ id: null, error: { code: -32403, data: { code: "UNAUTHENTICATED" } } });
    await client.ended;
  }
});

test("a peer that a setting names is the tenant of that token, until it is revoked", async () => {
  const p2p = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
  await using first = await serveNode({ p2p });
  const who = await tenant(["basic"], first);
  const { dataDir } = first;
  await first.node.stop();
  await using again = await serveNode({
    dataDir,
    p2p: { ...p2p, peerTokens: [`${mapped.peer.id}=${who.tokenId}`], grantedPeers: [asker.peer.id] },
  });
  for (const { peer } of [mapped, asker]) await peer.connectToPeer(address(again));
  const client = await peerClient(mapped, again);
  expect(await client.ask(INITIALIZE)).toMatchObject({ result: { serverInfo: { name: "cidcast" } } });
  const list = { jsonrpc: "2.0", id: 2, method: "tools/list" };
  expect((await client.ask(list))["result"].tools).toHaveLength(3);
  const owner = await peerClient(asker, again);
  await owner.ask(INITIALIZE);
  expect((await owner.ask(list))["result"].tools.length).toBeGreaterThan(10);
  await again.node.tenancy!.revokeToken(who.tokenId);
  await client.ended;
  const after = await peerClient(mapped, again);
  expect(await after.raw(JSON.stringify(INITIALIZE))).toMatchObject({ error: { code: -32403 } });
  await owner.close();
});

test("no token that the suite used came into the log, at its most talkative", () => {
  expect(secrets.length).toBeGreaterThan(50);
  expect(captured.text().length).toBeGreaterThan(1000);
  expect(secrets.filter(secret => captured.text().includes(secret))).toEqual([]);
});
