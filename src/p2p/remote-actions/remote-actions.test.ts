import { MAX_REPLY_BYTES, MAX_REQUEST_BYTES, REMOTE_ACTION_PROTOCOL } from "@cidcast/protocols/ipfs-kit-mcp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CidcastError, type Principal, scopeAuthoriser, silentLogger } from "../../core/index.ts";
import { startPeer, type TestPeer } from "../test-support.ts";
import { callPeer } from "./call.ts";
import { readJson } from "./json-stream.ts";
import { serveRemoteActions } from "./serve.ts";
import type { RemoteActions } from "./types.ts";

const CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const TEXT = Buffer.from("what the content says");

let asking: TestPeer;
let answering: TestPeer;
let size = TEXT.byteLength;
let open = 0;

const actions: RemoteActions = {
  async open(cid) {
    if (cid !== CID) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} is not here`);
    open++;
    return {
      size,
      contentType: "text/plain",
      read: async (start, end) =>
        size === TEXT.byteLength ? TEXT.subarray(start, end) : new Uint8Array(end - start),
      close: async () => {
        open--;
      },
    };
  },
  handlers: {
    health: async () => ({ status: "ok" }),
    list: async ({ limit }) => ({ records: Array.from({ length: limit ?? 0 }, () => "x".repeat(20_000)) }),
    pin: async ({ cid, name }, { principal }) => ({ cid, name, by: principal.id }),
  },
};

function principalOf(peerId: string, token: string | undefined): Principal {
  if (token !== undefined && token !== "good")
    throw new CidcastError("UNAUTHENTICATED", "The token is not valid");
  const reading = ["content:read", "content:list", "node:status"];
  return {
    kind: token === undefined ? "peer" : "token",
    id: peerId,
    door: "libp2p",
    scopes: new Set(token === undefined ? reading : ["*"]),
  };
}

beforeEach(async () => {
  size = TEXT.byteLength;
  [asking, answering] = [await startPeer(), await startPeer()];
  await serveRemoteActions({
    peer: answering.peer,
    actions,
    authenticate: principalOf,
    authoriser: scopeAuthoriser,
    log: silentLogger,
  });
  await asking.peer.connectToPeer(answering.address);
});

afterEach(async () => {
  await asking.peer.stop();
  await answering.peer.stop();
});

/** Sends text as it stands; gives the text of the reply, up to the end of the stream. */
async function raw(text: string, { halfClose = true, pieces = 1 } = {}): Promise<string> {
  const stream = await asking.peer.newStream(answering.peer.id, REMOTE_ACTION_PROTOCOL);
  const bytes = Buffer.from(text);
  const step = Math.ceil(bytes.byteLength / pieces);
  for (let at = 0; at < bytes.byteLength; at += step) {
    stream.send(bytes.subarray(at, at + step));
    await new Promise(resolve => setImmediate(resolve));
  }
  if (halfClose) await stream.close();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Uint8Array[] = [];
  stream.consume({
    onData: chunk => void chunks.push(chunk),
    onEnd: () => resolve(Buffer.concat(chunks).toString()),
    onClose: error => error !== undefined && reject(error),
  });
  const reply = await promise;
  await stream.close();
  return reply;
}

describe("one JSON object asks, one answers", () => {
  test.each([
    ["half-closed", { halfClose: true }],
    ["left open", { halfClose: false }],
    ["in pieces that cut it anywhere", { halfClose: false, pieces: 9 }],
  ])("with the stream %s", async (_name, how) => {
    const reply: unknown = JSON.parse(await raw(JSON.stringify({ action: "get_content", cid: CID }), how));
    expect(reply).toEqual({
      success: true,
      action: "get_content",
      cid: CID,
      size: TEXT.byteLength,
      content_type: "text/plain",
      offset: 0,
      encoding: "base64",
      content: TEXT.toString("base64"),
    });
  });

  test("with its request id given back, also with an error", async () => {
    expect(JSON.parse(await raw('{"action":"health","request_id":"7"}'))).toMatchObject({ request_id: "7" });
    expect(JSON.parse(await raw('{"action":"dance","request_id":"8"}'))).toMatchObject({
      success: false,
      code: "INVALID_REQUEST",
      request_id: "8",
    });
  });

  test.each([
    ["text that is not JSON", "get_content please"],
    ["JSON that ends early", '{"action":"health"'],
    ["a number", "5"],
    ["MCP's JSON-RPC", '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'],
  ])("and %s is answered with INVALID_REQUEST", async (_name, text) => {
    expect(JSON.parse(await raw(text))).toMatchObject({ success: false, code: "INVALID_REQUEST" });
  });

  test("and more than a request may have is PAYLOAD_TOO_LARGE", async () => {
    const text = JSON.stringify({ action: "health", token: "x".repeat(MAX_REQUEST_BYTES) });
    expect(JSON.parse(await raw(text))).toMatchObject({ success: false, code: "PAYLOAD_TOO_LARGE" });
  });
});

test("a peer that does not finish its request, and an action that does not end, are TIMEOUT", async () => {
  await using slow = await startPeer();
  const components = {
    peer: slow.peer,
    authenticate: principalOf,
    authoriser: scopeAuthoriser,
    log: silentLogger,
  };
  const stuck: RemoteActions = { ...actions, handlers: { health: () => new Promise(() => undefined) } };
  await serveRemoteActions({ ...components, actions: stuck }, { requestTimeoutMs: 20, actionTimeoutMs: 20 });
  await asking.peer.connectToPeer(slow.address);
  await expect(callPeer(asking.peer, slow.peer.id, { action: "health" })).rejects.toMatchObject({
    code: "TIMEOUT",
  });
  const stream = await asking.peer.newStream(slow.peer.id, REMOTE_ACTION_PROTOCOL);
  stream.send(Buffer.from('{"action":'));
  expect(await readJson(stream, { maxBytes: 1000 })).toMatchObject({ success: false, code: "TIMEOUT" });
});

describe("a call", () => {
  const call = (request: Parameters<typeof callPeer>[2]) => callPeer(asking.peer, answering.peer.id, request);

  test("reads a part of content", async () => {
    const reply = await call({ action: "get_content", cid: CID, offset: 5, length: 3 });
    expect(reply).toMatchObject({ content: TEXT.subarray(5, 8).toString("base64"), offset: 5 });
    await expect(call({ action: "get_content", cid: CID, offset: 1000 })).rejects.toMatchObject({
      code: "RANGE_NOT_SATISFIABLE",
    });
    expect(open).toBe(0);
  });

  test("gets content inline while the whole reply stays within 10 MiB, above that where to get it", async () => {
    size = Math.floor((MAX_REPLY_BYTES - 8 * 1024) / 4) * 3;
    const inline = await call({ action: "get_content", cid: CID });
    expect(inline).toMatchObject({ content: expect.any(String) });
    expect(Buffer.byteLength(JSON.stringify(inline))).toBeLessThanOrEqual(MAX_REPLY_BYTES);
    size++;
    expect(await call({ action: "get_content", cid: CID })).toMatchObject({
      content: null,
      size,
      protocol: "/ipfs-kit/content/1.0.0",
      peer_id: answering.peer.id,
    });
  });

  test("throws what the peer answers", async () => {
    await expect(call({ action: "get_content", cid: "bafkunknown" })).rejects.toMatchObject({
      code: "CONTENT_NOT_FOUND",
    });
    await expect(call({ action: "providers", cid: CID, token: "good" })).rejects.toMatchObject({
      code: "FEATURE_DISABLED",
    });
    await expect(call({ action: "list", limit: 1000 })).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });

  test("changes nothing without the right to, which a token gives", async () => {
    await expect(call({ action: "pin", cid: CID })).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(call({ action: "pin", cid: CID, token: "bad" })).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    });
    expect(await call({ action: "pin", cid: CID, name: "films", token: "good" })).toMatchObject({
      result: { cid: CID, name: "films", by: asking.peer.id },
    });
  });
});
