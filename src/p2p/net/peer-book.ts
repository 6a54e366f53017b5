import { BaseDatastore } from "datastore-core";
import type { Datastore, KeyQuery, Pair, Query } from "interface-datastore";
import { Key } from "interface-datastore";
import { MAX_PEER_BOOK } from "../limits.ts";

/** Where libp2p keeps what it knows of a peer. */
const PEERS = "/peers/";

/**
 * A datastore in which libp2p's address book has a bound: the peer that was longest not written about is forgotten beyond it.
 * libp2p itself forgets addresses by age alone, and every peer that a DHT names gets an entry.
 */
export class PeerBook extends BaseDatastore {
  readonly #inner: Datastore;
  readonly #isInUse: (key: string) => boolean;
  /** Peers, the one longest not written about first. */
  #known: Map<string, true> | undefined;

  /** `isInUse` tells of keys of peers that are connected: they stay. */
  constructor(inner: Datastore, isInUse: (key: string) => boolean = () => false) {
    super();
    this.#inner = inner;
    this.#isInUse = isInUse;
  }

  /** The name under which a peer is kept. */
  static keyOf(peerCid: string): string {
    return `${PEERS}${peerCid}`;
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    await this.#inner.put(key, value);
    const name = key.toString();
    if (!name.startsWith(PEERS)) return key;
    const known = await this.#peers();
    known.delete(name);
    known.set(name, true);
    for (const oldest of known.keys()) {
      if (known.size <= MAX_PEER_BOOK) break;
      if (oldest === name || this.#isInUse(oldest)) continue;
      known.delete(oldest);
      await this.#inner.delete(new Key(oldest));
    }
    return key;
  }

  override async get(key: Key): Promise<Uint8Array> {
    return this.#inner.get(key);
  }

  override async has(key: Key): Promise<boolean> {
    return this.#inner.has(key);
  }

  override async delete(key: Key): Promise<void> {
    this.#known?.delete(key.toString());
    await this.#inner.delete(key);
  }

  override async *_all(query: Query): AsyncGenerator<Pair> {
    yield* this.#inner.query(query);
  }

  override async *_allKeys(query: KeyQuery): AsyncGenerator<Key> {
    yield* this.#inner.queryKeys(query);
  }

  async #peers(): Promise<Map<string, true>> {
    if (this.#known !== undefined) return this.#known;
    const found = new Map<string, true>();
    for await (const key of this.#inner.queryKeys({ prefix: PEERS })) found.set(key.toString(), true);
    // Another write may have been quicker.
    return (this.#known ??= found);
  }
}
