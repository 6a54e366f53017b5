import { Socket } from "node:net";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { afterEach, describe, expect, test } from "vitest";
import { connect, rawCid, startPeer, type TestPeer, until } from "../../test-support.ts";
import { isTcpConnection } from "./tcp-connection.ts";
import { loadTlsParts } from "./tls-parts.ts";

const opened: TestPeer[] = [];

afterEach(async () => {
  for (const peer of opened.splice(0)) await peer.peer.stop();
});

async function peer(...args: Parameters<typeof startPeer>): Promise<TestPeer> {
  const started = await startPeer(...args);
  opened.push(started);
  return started;
}

const FAST = { fastTls: true };

describe("TLS on the real socket", () => {
  test("finds what it needs of @libp2p/tls and @libp2p/tcp as installed", async () => {
    expect(await loadTlsParts()).toBeDefined();
    expect(isTcpConnection({} as never)).toBe(false);
    expect(isTcpConnection({ socket: new Socket() } as never)).toBe(false);
  });

  test.each([
    ["between two of its kind", FAST, FAST],
    ["towards the stock encrypter", FAST, {}],
    ["from the stock encrypter", {}, FAST],
  ])("moves blocks %s", async (_name, ofA, ofB) => {
    const [a, b] = [await peer(ofA), await peer(ofB)];
    await connect(a, b);
    expect(a.peer.connections()[0]).toMatchObject({ encryption: "/tls/1.0.0", muxer: "/yamux/1.0.0" });
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const bytes = new Uint8Array(1_500_000).map((_, i) => i * 31);
      const cid = from.blocks.add(bytes);
      expect(rawCid(await to.peer.fetchBlock(cid))).toBe(cid);
    }
    const gone = b.events.next("peer_disconnected");
    await a.peer.disconnect(b.peer.id);
    await gone;
    expect(a.peer.connections()).toEqual([]);
  });

  test("leaves WebSocket connections to the stock encrypter", async () => {
    const [a, b] = [await peer(FAST), await peer({ ...FAST, listen: ["/ip4/127.0.0.1/tcp/0/ws"] })];
    const connection = await a.peer.connectToPeer(b.peer.multiaddrs[0] ?? "");
    expect(connection.address).toContain("/ws");
    expect(await a.peer.ping(b.peer.id)).toBeGreaterThan(0);
  });

  test("refuses a peer that is another than the one named", async () => {
    const [a, b] = [await peer(FAST), await peer(FAST)];
    const other = peerIdFromPrivateKey(await generateKeyPair("Ed25519")).toString();
    const address = b.address.replace(b.peer.id, other);
    await expect(a.peer.connectToPeer(address)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(a.peer.connections()).toEqual([]);
  });

  test("survives streams and peers that end in the middle of a transfer", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = [await peer(FAST), await peer(FAST)];
      await b.peer.registerProtocolHandler("/test/flood/1", async stream => {
        const piece = new Uint8Array(256 * 1024);
        stream.consume({ onData() {} });
        for (;;) if (!stream.send(piece)) await stream.drained();
      });
      await a.peer.connectToPeer(b.address);
      const { id } = b.peer;
      const stream = await a.peer.newStream(id, "/test/flood/1");
      const cut = Promise.withResolvers<void>();
      let seen = 0;
      stream.consume({
        onData: chunk => {
          seen += chunk.byteLength;
          if (seen > 2_000_000) cut.resolve();
        },
      });
      await cut.promise;
      if (round % 3 === 0) stream.abort(new Error("enough"));
      if (round % 3 === 1) await b.peer.stop();
      if (round % 3 === 2) await a.peer.disconnect(id);
      await a.peer.stop();
      await b.peer.stop();
      await until(() => b.peer.connections().length === 0);
    }
    expect(opened.every(({ peer }) => peer.status === "stopped")).toBe(true);
  });
});
