import { describe, expect, test, vi } from "vitest";
import { callPeer } from "../../../src/p2p/index.ts";
import { startPeer } from "../../../src/p2p/test-support.ts";
import { run } from "../../../src/cli/testing/run.ts";
import { serveNode, type ServedNode } from "../node/serve-node.ts";

const TOKEN = "a-token-for-this-test-alone";
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };
/** A CID of which nobody has the block. */
const ELSEWHERE = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

vi.setConfig({ testTimeout: 60_000 });

async function add({ node }: ServedNode, text: string): Promise<string> {
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  };
  return (await node.content.add(bytes(), { name: "a.txt" })).cid;
}

describe("actions asked for by JSON", () => {
  test("everybody gets content whose CID he knows; what else there is needs a grant or the token", async () => {
    await using asker = await startPeer();
    await using node = await serveNode({ token: TOKEN, p2p: P2P });
    const peerId = node.node.peer?.id ?? "";
    const cid = await add(node, "hello");
    await asker.peer.connectToPeer(node.node.peer?.multiaddrs[0] ?? "");
    const content = await callPeer(asker.peer, peerId, { action: "get_content", cid });
    expect(content).toMatchObject({
      success: true,
      size: 5,
      content: Buffer.from("hello").toString("base64"),
      content_type: "text/plain",
    });
    expect(await callPeer(asker.peer, peerId, { action: "stat", cid })).toMatchObject({
      result: { type: "file", size: 5, complete: true },
    });
    const code = async (request: Parameters<typeof callPeer>[2]): Promise<unknown> =>
      callPeer(asker.peer, peerId, request).then(
        () => "answered",
        (error: { code: string }) => error.code,
      );
    expect(await code({ action: "get_content", cid: ELSEWHERE })).toBe("CONTENT_NOT_FOUND");
    for (const request of [
      { action: "list" },
      { action: "health" },
      { action: "providers", cid },
      { action: "pin", cid },
      { action: "unpin", cid },
      { action: "transfer", cid },
    ] as const) {
      expect([request.action, await code(request)]).toEqual([request.action, "FORBIDDEN"]);
      const wrong = { ...request, token: "another-token-altogether" };
      expect([request.action, await code(wrong)]).toEqual([request.action, "UNAUTHENTICATED"]);
    }
    const ask = (request: Parameters<typeof callPeer>[2]) =>
      callPeer(asker.peer, peerId, { ...request, token: TOKEN });
    expect(await ask({ action: "list" })).toMatchObject({
      result: { total: 1, records: [{ cid, name: "a.txt" }] },
    });
    expect(await ask({ action: "health" })).toMatchObject({ result: { status: "ok", content_count: 1 } });
    expect(await ask({ action: "providers", cid })).toMatchObject({
      result: { providers: [{ peer_id: peerId }] },
    });
    expect(await ask({ action: "pin", cid, name: "mine" })).toMatchObject({ result: { cid, name: "mine" } });
    expect(await ask({ action: "unpin", cid, name: "mine" })).toMatchObject({ result: { cid } });
    expect((await node.node.content.pins()).map(({ name }) => name)).toEqual([""]);
    for (const source of ["http://127.0.0.1:9", "/ip4/127.0.0.1/tcp/9", "nonsense"]) {
      const request = { action: "transfer", cid, source, token: TOKEN } as const;
      expect([source, await code(request)]).toEqual([source, "INVALID_REQUEST"]);
    }
  });
});

describe("content is brought to another node", () => {
  test("over libp2p, to a node that grants it", async () => {
    await using from = await serveNode({ p2p: P2P });
    await using to = await serveNode({ p2p: { ...P2P, grantedPeers: [from.node.peer?.id ?? ""] } });
    const cid = await add(from, "granted");
    const target = to.node.peer?.multiaddrs[0] ?? "";
    expect(await from.node.transfers.push({ cid, to: [target] })).toEqual({
      ok: true,
      via: "libp2p",
      attempts: [],
    });
    expect((await to.node.content.stat(cid)).complete).toBe(true);
    expect((await to.node.content.pins()).map(pin => pin.cid)).toEqual([cid]);
    const back = await add(to, "not granted");
    const refused = await to.node.transfers.push({ cid: back, to: [from.node.peer?.multiaddrs[0] ?? ""] });
    expect(refused).toMatchObject({ ok: false, attempts: [{ rung: "libp2p", code: "FORBIDDEN" }] });
  });

  test("by its API: the receiver fetches; a CAR where it cannot reach us; every cause where nothing helps", async () => {
    await using to = await serveNode({ token: TOKEN, p2p: P2P });
    await using from = await serveNode({ p2p: P2P });
    await using alone = await serveNode();
    const [one, two] = [await add(from, "fetched"), await add(alone, "carried")];
    const pushed = await from.node.transfers.push({ cid: one, to: [to.url], token: TOKEN });
    expect(pushed).toMatchObject({ ok: true, via: "http" });
    const at = { cwd: alone.dataDir, dataDir: alone.dataDir };
    const carried = await run(["transfer", "push", two, to.url, "--target-token", TOKEN, "--json"], at);
    expect([carried.code, JSON.parse(carried.stdout)]).toMatchObject([0, { ok: true, via: "car" }]);
    for (const cid of [one, two]) expect((await to.node.content.stat(cid)).complete).toBe(true);
    const refused = await alone.node.transfers.push({ cid: two, to: [to.url, "http://127.0.0.1:9"] });
    expect(refused).toMatchObject({
      ok: false,
      attempts: [{ code: "UNAUTHENTICATED" }, { code: "PEER_UNREACHABLE" }],
    });
    const unheard = await run(["transfer", "push", two, "http://127.0.0.1:9"], at);
    expect([unheard.code === 0, unheard.stderr.includes("PEER_UNREACHABLE")]).toEqual([false, true]);
  });
});
