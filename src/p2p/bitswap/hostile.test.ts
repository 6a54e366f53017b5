import { createHash, randomBytes } from "node:crypto";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Connection, Libp2p } from "@libp2p/interface";
import { MemoryDatastore } from "datastore-core";
import { afterEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../core/index.ts";
import { DEFAULT_PEER_LIMITS } from "../limits.ts";
import { createNode } from "../net/libp2p-node.ts";
import { ROLES } from "../net/roles.ts";
import { connect, MemoryBlocks, rawCid, startPeer, type TestPeer, until } from "../test-support.ts";
import { BITSWAP_PROTOCOL } from "./exchange.ts";

const stack = new Set<() => Promise<void>>();

afterEach(async () => {
  for (const close of stack) await close();
  stack.clear();
});

async function peer(...args: Parameters<typeof startPeer>): Promise<TestPeer> {
  const started = await startPeer(...args);
  stack.add(() => started.peer.stop());
  return started;
}

/** A peer that answers each bitswap message with the bytes given. */
async function answering(message: Uint8Array): Promise<Libp2p> {
  const { libp2p: node } = await createNode({
    privateKey: await generateKeyPair("Ed25519"),
    datastore: new MemoryDatastore(),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    announce: [],
    limits: DEFAULT_PEER_LIMITS,
    gater: {},
    agent: "hostile",
    network: {},
    role: ROLES.worker,
    fastTls: false,
    log: silentLogger,
  });
  await node.handle(BITSWAP_PROTOCOL, async (_stream, connection: Connection) => {
    const stream = await connection.newStream(BITSWAP_PROTOCOL);
    stream.send(message);
    await stream.close();
  });
  await node.start();
  stack.add(async () => node.stop());
  return node;
}

/** Encodes a length-delimited protobuf field. */
function field(number: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2, value.byteLength]), value]);
}

/** A framed bitswap message with one block: small enough that every length fits one byte. */
function blockMessage(prefix: readonly number[], data: Uint8Array): Uint8Array {
  const block = Buffer.concat([field(1, Buffer.from(prefix)), field(2, data)]);
  const message = field(3, block);
  return Buffer.concat([Buffer.from([message.byteLength]), message]);
}

async function fetchFrom(hostile: Libp2p, cid: string): Promise<unknown> {
  const ours = await peer({ limits: { fetchTimeoutMs: 500 } });
  await ours.peer.connectToPeer(hostile.getMultiaddrs()[0]?.toString() ?? "");
  await until(() => ours.peer.hasPeers);
  return ours.peer.fetchBlock(cid).catch((error: unknown) => error);
}

describe("a peer that lies", () => {
  test("with other bytes under the CID is not believed", async () => {
    const liar = new MemoryBlocks();
    const cid = rawCid(randomBytes(100));
    liar.blocks.set(cid, new Uint8Array(100));
    const [a, b] = [await peer({ limits: { fetchTimeoutMs: 200 } }), await peer({}, { blocks: liar })];
    await connect(a, b);
    await expect(a.peer.fetchBlock(cid)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    expect(liar.reads).toContain(cid);
  });

  test("that its block is hashed by identity, so that the digest itself would pass, is not believed", async () => {
    const digest = createHash("sha256").update("what was asked for").digest();
    const hostile = await answering(blockMessage([1, 0x55, 0x00, 32], digest));
    const error = await fetchFrom(hostile, rawCid(Buffer.from("what was asked for")));
    expect(error).toMatchObject({ code: "CONTENT_NOT_FOUND" });
  });

  test("with an honest prefix and block is believed: the message above is well formed", async () => {
    const block = Buffer.from("what was asked for");
    const hostile = await answering(blockMessage([1, 0x55, 0x12, 32], block));
    expect(Buffer.from((await fetchFrom(hostile, rawCid(block))) as Uint8Array)).toEqual(block);
  });

  test("with a message that is none harms nobody", async () => {
    const hostile = await answering(randomBytes(64));
    const error = await fetchFrom(hostile, rawCid(randomBytes(8)));
    expect(error).toMatchObject({ code: "CONTENT_NOT_FOUND" });
  });

  test("with a message beyond the limit is cut off", async () => {
    const hostile = await answering(
      Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x08]), randomBytes(4096)]),
    );
    const error = await fetchFrom(hostile, rawCid(randomBytes(8)));
    expect(error).toMatchObject({ code: "CONTENT_NOT_FOUND" });
  });
});
