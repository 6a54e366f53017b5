import { MemoryDatastore } from "datastore-core";
import type { Logger } from "../../core/index.ts";
import { type BlockExchange, createExchange } from "../bitswap/exchange.ts";
import { ServedBlockstore } from "../bitswap/served-blockstore.ts";
import { DatabaseDatastore } from "../identity/database-datastore.ts";
import type { PeerDatabase } from "../identity/migrations.ts";
import { loadOrCreatePrivateKey } from "../identity/private-key.ts";
import type { PeerLimits } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { ConnectionGate } from "./connection-gate.ts";
import { createNode, type Libp2pNode } from "./libp2p-node.ts";
import type { PeerBlockstore, PeerInit } from "../types.ts";
import { PeerBook } from "./peer-book.ts";
import type { Role } from "./roles.ts";

export interface AssembleInit {
  readonly init: PeerInit;
  readonly role: Role;
  readonly limits: PeerLimits;
  readonly gate: ConnectionGate;
  readonly database: PeerDatabase | undefined;
  readonly blocks: PeerBlockstore;
  readonly mayServe?: ((peerId: string) => boolean) | undefined;
  readonly metrics: PeerMetrics;
  readonly log: Logger;
}

/** The parts of a peer that need libp2p, not yet started. */
export interface PeerParts extends Libp2pNode {
  readonly exchange: BlockExchange;
}

/** Addresses listened on by default: nothing outside this machine reaches them. */
const DEFAULT_LISTEN = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"];

/** What the node calls itself where nothing else is configured. */
const DEFAULT_AGENT = "cidcast";

/**
 * Puts libp2p and bitswap together. This module is imported when a peer starts, so that a node whose libp2p cannot be
 * loaded goes on without it.
 */
export async function assemble(options: AssembleInit): Promise<PeerParts> {
  const { init, database } = options;
  const inner = database === undefined ? new MemoryDatastore() : new DatabaseDatastore(database);
  const started: { libp2p?: Libp2pNode["libp2p"] } = {};
  const datastore = new PeerBook(
    inner,
    key =>
      started.libp2p?.getPeers().some(peerId => PeerBook.keyOf(peerId.toCID().toString()) === key) ?? false,
  );
  const node = await createNode({
    privateKey: await loadOrCreatePrivateKey(datastore),
    datastore,
    listen: init.listen ?? DEFAULT_LISTEN,
    announce: init.announce ?? [],
    limits: options.limits,
    gater: options.gate.gater,
    agent: init.agent ?? DEFAULT_AGENT,
    network: init.network ?? {},
    role: options.role,
    fastTls: init.fastTls ?? false,
    encryption: init.encryption,
    log: options.log,
  });
  const blockstore = new ServedBlockstore(options);
  const { libp2p } = node;
  started.libp2p = libp2p;
  return {
    ...node,
    exchange: createExchange({ libp2p, blockstore, mayServe: options.mayServe, log: options.log }),
  };
}
