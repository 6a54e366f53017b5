import { withBitswap } from "@helia/bitswap";
import type { Libp2p } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import type { Blockstore } from "interface-blockstore";
import type { CID } from "multiformats/cid";
import { sha256, sha512 } from "multiformats/hashes/sha2";
import type { Logger } from "../../core/index.ts";
import { MAX_BITSWAP_MESSAGE_BYTES, MAX_WANTS_PER_PEER } from "../limits.ts";
import { EmptyBlockstore } from "./served-blockstore.ts";
import { libp2pLogger } from "../net/libp2p-logger.ts";

/** Version of bitswap that is spoken. @see https://specs.ipfs.tech/bitswap-protocol/ */
export const BITSWAP_PROTOCOL = "/ipfs/bitswap/1.2.0";

/** Blocks by bitswap: asks single peers, answers all. */
export interface BlockExchange {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Connected peers that speak bitswap, PeerIds. */
  peers(): readonly string[];
  /** Resolves as soon as there is such a peer, or the signal aborts. */
  hasPeer(signal: AbortSignal): Promise<void>;
  /** Asks one peer; rejects as soon as it says that it lacks the block. The bytes may be anything: verify them. */
  ask(peerId: string, cid: CID, signal: AbortSignal): Promise<Uint8Array>;
  /** Sends the block to the peers that wait for it. */
  announce(cid: CID): Promise<void>;
}

export interface BlockExchangeComponents {
  readonly libp2p: Libp2p;
  readonly blockstore: Blockstore;
  /** Whose wants are answered; everybody's by default. The others are told that nothing is here. */
  readonly mayServe?: ((peerId: string) => boolean) | undefined;
  readonly log: Logger;
}

/** Helia's bitswap without the rest of Helia, whose package loads every transport and public default there is. */
export function createExchange(components: BlockExchangeComponents): BlockExchange {
  const { libp2p } = components;
  const peers = new Set<string>();
  const waiting = new Set<() => void>();
  let topology: string | undefined;
  let broker: Broker | undefined;
  return {
    async start() {
      broker = await startBroker(components);
      topology = await libp2p.register(BITSWAP_PROTOCOL, {
        notifyOnLimitedConnection: true,
        onConnect: peerId => {
          peers.add(peerId.toString());
          for (const resolve of waiting) resolve();
        },
        onDisconnect: peerId => void peers.delete(peerId.toString()),
      });
    },
    async stop() {
      if (topology !== undefined) libp2p.unregister(topology);
      peers.clear();
      await broker?.stop();
      broker = undefined;
    },
    peers: () => [...peers],
    hasPeer: async signal => {
      if (peers.size > 0 || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const done = (): void => resolve();
      waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
      await promise;
      waiting.delete(done);
      signal.removeEventListener("abort", done);
    },
    ask: async (peerId, cid, signal) => {
      if (broker === undefined) throw new Error("bitswap is not running");
      // A session of one peer asks that peer alone, and ends when it does not have the block.
      const session = broker.createSession({
        providers: [peerIdFromString(peerId).toCID()],
        minProviders: 1,
        maxProviders: 1,
      });
      return session.retrieve(cid, { signal });
    },
    announce: async cid => broker?.announce(cid),
  };
}

/** What is used of Helia's bitswap block broker. */
interface Broker {
  stop(): Promise<void>;
  announce(cid: CID): Promise<void>;
  createSession(options: {
    readonly providers: readonly unknown[];
    readonly minProviders: number;
    readonly maxProviders: number;
  }): { retrieve(cid: CID, options: { readonly signal: AbortSignal }): Promise<Uint8Array> };
}

/** What others want of us, as Helia's bitswap keeps it. A test of real exchanges holds that it is there. */
interface PeerWants {
  blockstore: Blockstore;
  receiveMessage(peerId: { toString(): string }, message: unknown): void;
  peerDisconnected(peerId: { toString(): string }): void;
}

function wantsOf(broker: object): PeerWants {
  // The member is private by its type alone.
  const { bitswap } = broker as { readonly bitswap?: { readonly peerWantLists?: PeerWants } };
  if (bitswap?.peerWantLists === undefined) {
    throw new Error("@helia/bitswap has no lists of wants: nobody can be kept from what is here");
  }
  return bitswap.peerWantLists;
}

/** Answers others than those as if nothing were here. A peer's account keeps the store it was opened with. */
function serveOnly(wants: PeerWants, mayServe: (peerId: string) => boolean): void {
  const { blockstore } = wants;
  const nothing = new EmptyBlockstore();
  const served = new Map<string, boolean>();
  const receive = wants.receiveMessage.bind(wants);
  const disconnected = wants.peerDisconnected.bind(wants);
  wants.receiveMessage = (peerId, message) => {
    const id = peerId.toString();
    const may = mayServe(id);
    // Who was granted or not when its account was opened may have become the other.
    if (served.has(id) && served.get(id) !== may) disconnected(peerId);
    served.set(id, may);
    wants.blockstore = may ? blockstore : nothing;
    receive(peerId, message);
  };
  wants.peerDisconnected = peerId => {
    served.delete(peerId.toString());
    disconnected(peerId);
  };
}

interface Mixin {
  start(host: unknown): Promise<void>;
}

async function startBroker(components: BlockExchangeComponents): Promise<Broker> {
  let broker: Broker | undefined;
  let mixin: Mixin | undefined;
  const host = {
    status: "starting",
    libp2p: components.libp2p,
    blockstore: components.blockstore,
    logger: libp2pLogger(components.log),
    // Identity must not be among them: a block of its own digest would pass for the block of that digest.
    getHasher: (code: number) => (code === sha512.code ? sha512 : sha256),
    // Providers are those that the caller names.
    routing: { async *findProviders() {} },
    hasBlockBroker: () => false,
    addBlockBroker: (added: Broker) => {
      broker = added;
    },
    addMixin: (added: Mixin) => {
      mixin = added;
    },
  };
  const options = {
    maxIncomingMessageSize: MAX_BITSWAP_MESSAGE_BYTES,
    maxOutgoingMessageSize: MAX_BITSWAP_MESSAGE_BYTES,
    // The name that the code reads; its type calls it maxWantlistSize.
    maxWantListSize: MAX_WANTS_PER_PEER,
    // A relay's limit is for its owner to set: what is cut off there is asked for again.
    runOnLimitedConnections: true,
  };
  // The host has every member that the mixin of @helia/bitswap 4 touches; a test of real exchanges holds that.
  withBitswap(host as unknown as Parameters<typeof withBitswap>[0], options);
  await mixin?.start(host);
  const { mayServe } = components;
  if (mayServe !== undefined && broker !== undefined) serveOnly(wantsOf(broker), mayServe);
  if (broker === undefined) throw new Error("@helia/bitswap did not hand over its block broker");
  return broker;
}
