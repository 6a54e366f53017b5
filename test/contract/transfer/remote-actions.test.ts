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

describe("tokens of a tenant, over JSON", () => {
  test("open what is the tenant's, and a playback token what it was made for", async () => {
    await using asker = await startPeer();
    await using node = await serveNode({ p2p: P2P });
    const peerId = node.node.peer?.id ?? "";
    await asker.peer.connectToPeer(node.node.peer?.multiaddrs[0] ?? "");
    const tenancy = node.node.tenancy!;
    const [mine, others] = [await add(node, "mine"), await add(node, "the owner's")];
    const { id: tenantId } = await tenancy.tenants.create({ name: "acme" });
    const scopes = ["content:read", "content:write", "peers", "admin"];
    const made = await tenancy.tokens.create({ tenantId, scopes, expiresInDays: 1 });
    await tenancy.content.grant(tenantId, { cid: mine, name: "m.txt", size: 4, contentType: "text/plain" });
    const said = (request: Parameters<typeof callPeer>[2], token: string): Promise<unknown> =>
      callPeer(asker.peer, peerId, { ...request, token }).then(
        reply => ("result" in reply ? reply.result : reply),
        (error: { code: string }) => error.code,
      );
    const as = (request: Parameters<typeof callPeer>[2]) => said(request, made.token);
    expect(await as({ action: "get_content", cid: mine })).toMatchObject({ size: 4 });
    for (const cid of [others, ELSEWHERE]) {
      for (const action of ["get_content", "stat", "pin", "unpin"] as const) {
        expect([action, await as({ action, cid })]).toEqual([action, "CONTENT_NOT_FOUND"]);
      }
    }
    expect(await as({ action: "list" })).toMatchObject({ total: 1, records: [{ cid: mine, name: "m.txt" }] });
    expect(await as({ action: "pin", cid: mine, name: "kept" })).toEqual({ cid: mine, name: "kept" });
    expect(await as({ action: "unpin", cid: mine, name: "kept" })).toEqual({ cid: mine });
    for (const action of ["providers", "transfer"] as const) {
      expect([action, await as({ action, cid: mine })]).toEqual([action, "FORBIDDEN"]);
    }
    expect(await as({ action: "health" })).toBe("FORBIDDEN");

    const owner = { kind: "local", id: "owner", door: "embed", scopes: new Set(["*"]) } as const;
    const playback = await tenancy.playback.create(owner, { cid: others, expiresInSeconds: 60 });
    const watch = (request: Parameters<typeof callPeer>[2]) => said(request, playback.token);
    expect(await watch({ action: "get_content", cid: others })).toMatchObject({ size: 11 });
    expect(await watch({ action: "get_content", cid: mine })).toBe("FORBIDDEN");
    expect(await watch({ action: "pin", cid: others })).toBe("FORBIDDEN");
    expect(await watch({ action: "list" })).toBe("FORBIDDEN");
    await tenancy.playback.revoke(owner, playback.id);
    expect(await watch({ action: "get_content", cid: others })).toBe("UNAUTHENTICATED");
    await tenancy.revokeToken(made.id);
    expect(await as({ action: "list" })).toBe("UNAUTHENTICATED");
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
