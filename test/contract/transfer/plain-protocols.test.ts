import { readFileSync } from "node:fs";
import { FILE_PROTOCOL, PLAIN_TRANSFER_PROTOCOL } from "@cidcast/protocols/ipfs-kit-file";
import { METADATA_PROTOCOL, signedRecord } from "@cidcast/protocols/ipfs-kit-metadata";
import { describe, expect, test, vi } from "vitest";
import { startPeer, type TestPeer } from "../../../src/p2p/test-support.ts";
import { serveNode, type ServedNode } from "../node/serve-node.ts";

const TOKEN = "a-token-for-this-test-alone";
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
const ELSEWHERE = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const TEXT = "some words, and then some more of them";

vi.setConfig({ testTimeout: 60_000 });

/** Writes bytes to a new stream as any program could, and gives all that comes back. */
async function raw(asker: TestPeer, node: ServedNode, protocol: string, request?: unknown): Promise<Buffer> {
  const stream = await asker.peer.newStream(node.node.peer?.id ?? "", protocol);
  const chunks: Uint8Array[] = [];
  const ended = Promise.withResolvers<void>();
  stream.consume({
    onData: chunk => void chunks.push(chunk),
    onEnd: ended.resolve,
    onClose: error => (error === undefined ? ended.resolve() : ended.reject(error)),
  });
  if (request !== undefined) {
    stream.send(Buffer.from(typeof request === "string" ? request : JSON.stringify(request)));
  }
  await stream.close();
  await ended.promise;
  return Buffer.concat(chunks);
}

async function rig() {
  const stack = new AsyncDisposableStack();
  const asker = stack.use(await startPeer());
  const node = stack.use(await serveNode({ token: TOKEN, p2p: P2P }));
  await asker.peer.connectToPeer(node.node.peer?.multiaddrs[0] ?? "");
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(TEXT);
  };
  const { cid } = await node.node.content.add(pieces(), { name: "a.txt" });
  return { asker, node, cid, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("a client that knows JSON alone", () => {
  test("gets a file, or a range of it, or the two errors there are", async () => {
    await using r = await rig();
    const ask = async (request: unknown): Promise<string> =>
      (await raw(r.asker, r.node, FILE_PROTOCOL, request)).toString();
    expect(await ask({ cid: r.cid, range: null, requester: "me", request_id: "1" })).toBe(TEXT);
    expect(await ask({ cid: r.cid, range: { start: 5, end: 10 } })).toBe(TEXT.slice(5, 10));
    expect(await ask({ cid: r.cid, range: { start: 30, end: null } })).toBe(TEXT.slice(30));
    expect(await ask({ cid: ELSEWHERE })).toBe('{"error":"Content not found"}');
    for (const bad of [{ cid: r.cid, range: { start: 9, end: 3 } }, {}, "nonsense", '"}"']) {
      expect(await ask(bad)).toBe('{"error":"Invalid request"}');
    }
  });

  test("gets a header and the bytes after it", async () => {
    await using r = await rig();
    const request = { type: "request", request_id: "7", peer_id: "me", cid: r.cid, offset: 0, length: -1 };
    const ask = async (change: object): Promise<[unknown, string]> => {
      const all = (await raw(r.asker, r.node, PLAIN_TRANSFER_PROTOCOL, { ...request, ...change })).toString();
      const end = all.indexOf("}") + 1;
      return [JSON.parse(all.slice(0, end)), all.slice(end)];
    };
    const [head, bytes] = await ask({});
    expect(head).toMatchObject({ success: true, request_id: "7", cid: r.cid, size: TEXT.length });
    expect(bytes).toBe(TEXT);
    expect(await ask({ offset: 5, length: 4 })).toMatchObject([{ length: 4 }, TEXT.slice(5, 9)]);
    expect(await ask({ cid: ELSEWHERE })).toMatchObject([
      { success: false, request_id: "7", error: "Content not found" },
      "",
    ]);
    expect(await ask({ offset: 1000 })).toMatchObject([{ success: false }, ""]);
    expect(await ask({ type: "x" })).toMatchObject([{ success: false, error: "Invalid request" }, ""]);
  });

  test("asks what content is; changes it with the right to, and by what its author signed", async () => {
    await using r = await rig();
    const ask = async (request?: unknown): Promise<unknown> =>
      JSON.parse((await raw(r.asker, r.node, METADATA_PROTOCOL, request)).toString());
    const peerId = r.node.node.peer?.id;
    const info = { success: true, peer_id: peerId, protocols: expect.arrayContaining([METADATA_PROTOCOL]) };
    for (const request of [undefined, {}, { action: "info" }]) expect(await ask(request)).toMatchObject(info);
    const answer = await ask({ action: "query", cid: r.cid, request_id: "1" });
    expect(answer).toMatchObject({ success: true, request_id: "1", records: [{ id: expect.any(String) }] });
    const vectors = JSON.parse(
      readFileSync(
        new URL("../../../protocols/ipfs-kit-metadata/v1/vectors/records.json", import.meta.url),
        "utf8",
      ),
    ) as { records: { id: string; signed: unknown }[] };
    const [first, second] = vectors.records.map(({ id, signed }) => ({
      id,
      signed: signedRecord.parse(signed),
    }));
    const update = (record: unknown, token?: string): Promise<unknown> =>
      ask({ action: "update", record, ...(token !== undefined && { token }) });
    expect(await update(first?.signed)).toMatchObject({ success: false, code: "FORBIDDEN" });
    expect(await update(first?.signed, "another")).toMatchObject({ success: false, code: "UNAUTHENTICATED" });
    expect(await update(second?.signed, TOKEN)).toMatchObject({ success: false, code: "CONFLICT" });
    expect(await update(first?.signed, TOKEN)).toMatchObject({ success: true, version: 1, id: first?.id });
    expect(await update(second?.signed, TOKEN)).toMatchObject({ success: true, version: 2 });
    expect(await update(first?.signed, TOKEN)).toMatchObject({
      code: "CONFLICT",
      current: { id: second?.id, version: 2 },
    });
    expect(await ask({ action: "query", cid: ELSEWHERE })).toMatchObject({ records: [{ id: second?.id }] });
    expect(await ask({ action: "nonsense" })).toMatchObject({ success: false, code: "INVALID_REQUEST" });
  });
});

test("two nodes tell each other what content is", async () => {
  await using from = await serveNode({ p2p: P2P });
  await using to = await serveNode({ p2p: { ...P2P, grantedPeers: [from.node.peer?.id ?? ""] } });
  const [id, addresses] = [to.node.peer?.id ?? "", [...(to.node.peer?.multiaddrs ?? [])]];
  const first = await from.node.metadata.publish(ELSEWHERE, { name: "Film", "x-note": 1 });
  await from.node.metadata.updatePeer(id, first, { addresses });
  const second = await from.node.metadata.publish(ELSEWHERE, { name: "Film, cut" });
  await from.node.metadata.updatePeer(id, second);
  await expect(from.node.metadata.updatePeer(id, first)).rejects.toMatchObject({ code: "CONFLICT" });
  const [record] = await from.node.metadata.queryPeer(id, ELSEWHERE);
  expect(record).toMatchObject({ id: second.id, payload: { name: "Film, cut", "x-note": 1, version: 2 } });
  await expect(to.node.metadata.updatePeer(from.node.peer?.id ?? "", second)).rejects.toMatchObject({
    code: "FORBIDDEN",
  });
});
