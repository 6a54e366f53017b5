import { createHash } from "node:crypto";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import { EventBus, noMetrics, silentLogger, systemClock } from "../core/index.ts";
import { createPeer } from "./peer.ts";
import type { Peer, PeerBlockstore, PeerComponents, PeerEvents, PeerInit } from "./types.ts";

/** Blocks in memory, for tests. */
export class MemoryBlocks implements PeerBlockstore {
  readonly blocks = new Map<string, Uint8Array>();
  readonly reads: string[] = [];

  async has(cid: CID): Promise<boolean> {
    return this.blocks.has(cid.toString());
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    this.reads.push(cid.toString());
    return this.blocks.get(cid.toString());
  }

  async put(cid: CID, bytes: Uint8Array): Promise<void> {
    this.blocks.set(cid.toString(), bytes);
  }

  /** Adds a raw block; gives its CID. */
  add(bytes: Uint8Array): string {
    const cid = rawCid(bytes);
    this.blocks.set(cid, bytes);
    return cid;
  }
}

/** CIDv1 of a raw block. */
export function rawCid(bytes: Uint8Array): string {
  const digest = createHash("sha256").update(bytes).digest();
  return CID.createV1(0x55, createDigest(0x12, digest)).toString();
}

/** A started peer on loopback with its blocks and events; stopped when disposed of. */
export interface TestPeer extends AsyncDisposable {
  readonly peer: Peer;
  readonly blocks: MemoryBlocks;
  readonly events: EventBus<PeerEvents>;
  /** Its TCP address. */
  readonly address: string;
}

/** Starts a peer for a test. */
export async function startPeer(
  init: PeerInit = {},
  components: Partial<PeerComponents> = {},
): Promise<TestPeer> {
  const blocks = new MemoryBlocks();
  const events = new EventBus<PeerEvents>(silentLogger);
  const peer = createPeer(init)({
    blocks,
    events,
    log: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
    ...components,
  });
  await peer.start();
  return {
    peer,
    blocks,
    events,
    address: peer.multiaddrs.find(address => !address.includes("/ws")) ?? "",
    [Symbol.asyncDispose]: () => peer.stop(),
  };
}

/** Connects one peer to another and waits until each knows that the other exchanges blocks. */
export async function connect(from: TestPeer, to: TestPeer): Promise<void> {
  await from.peer.connectToPeer(to.address);
  await until(() => from.peer.hasPeers && to.peer.hasPeers);
}

/** Resolves when `condition` holds: looked at after each turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve));
}
