import {
  contentAnnounceMessage,
  DEFAULT_RENDEZVOUS,
  discoveryMessage,
  MAX_ANNOUNCE_BYTES,
  PEER_ANNOUNCE_TOPICS,
  relayAnnounceMessage,
} from "@cidcast/protocols/peer-announce";
import type { Message } from "@libp2p/gossipsub";
import type { Clock, Logger } from "../../core/index.ts";
import { messageOf } from "../../core/index.ts";
import {
  ANNOUNCE_INTERVAL_MS,
  ANNOUNCE_LIFE_MS,
  MAX_ANNOUNCED_CIDS,
  MAX_ANNOUNCERS_PER_CID,
  MAX_CLOCK_SKEW_MS,
  RELAY_ANNOUNCE_INTERVAL_MS,
} from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import type { Provider } from "./types.ts";

/** What is used of gossipsub. */
export interface PubSub {
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  publish(topic: string, data: Uint8Array): Promise<unknown>;
  addEventListener(type: "message", listener: (event: CustomEvent<Message>) => void): void;
}

export interface AnnouncementsComponents {
  readonly pubsub: PubSub;
  readonly self: () => { readonly peerId: string; readonly addresses: readonly string[] };
  readonly role: string;
  readonly protocols: () => readonly string[];
  readonly isRelay: boolean;
  /** Hears of peers. */
  readonly onPeer: (peerId: string, addresses: readonly string[]) => void;
  readonly metrics: PeerMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

const DISCOVERY = PEER_ANNOUNCE_TOPICS.discovery(DEFAULT_RENDEZVOUS);

/** Topics that are spoken of; others are neither relayed nor remembered. */
export const ANNOUNCE_TOPICS: readonly string[] = [
  DISCOVERY,
  PEER_ANNOUNCE_TOPICS.content,
  PEER_ANNOUNCE_TOPICS.relay,
];

/** Tells of this node and its content by gossipsub, and remembers what others tell: a bounded number of CIDs, for a while. */
export class Announcements {
  readonly #components: AnnouncementsComponents;
  /** Who has what, the longest not heard of first. */
  readonly #heard = new Map<
    string,
    Map<string, { readonly addresses: readonly string[]; readonly atMs: number }>
  >();
  #cancels: (() => void)[] = [];

  constructor(components: AnnouncementsComponents) {
    this.#components = components;
  }

  get size(): number {
    return this.#heard.size;
  }

  start(): void {
    const { pubsub, clock, isRelay } = this.#components;
    pubsub.addEventListener("message", ({ detail }) => {
      if (detail.type === "signed") this.hear(detail.topic, detail.from.toString(), detail.data);
    });
    for (const topic of ANNOUNCE_TOPICS) pubsub.subscribe(topic);
    this.#here();
    this.#cancels = [clock.every(ANNOUNCE_INTERVAL_MS, () => this.#here())];
    if (!isRelay) return;
    this.#relay();
    this.#cancels.push(clock.every(RELAY_ANNOUNCE_INTERVAL_MS, () => this.#relay()));
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
  }

  /** Tells that this node has a CID. */
  content(cid: string): void {
    const { peerId, addresses } = this.#components.self();
    const timestamp = this.#components.clock.now() / 1000;
    this.#tell(PEER_ANNOUNCE_TOPICS.content, { cid, provider: peerId, timestamp, addrs: addresses });
  }

  /** Who told of having a CID, the latest first. */
  providers(cid: string): Provider[] {
    const since = this.#components.clock.now() - ANNOUNCE_LIFE_MS;
    return [...(this.#heard.get(cid) ?? [])]
      .filter(([, { atMs }]) => atMs > since)
      .toReversed()
      .map(([peerId, { addresses }]) => ({ peerId, addresses, origin: "announcement" }));
  }

  /** Takes a message whose author is proven by its signature. */
  hear(topic: string, author: string, data: Uint8Array): void {
    const { metrics, onPeer } = this.#components;
    const drop = (): void => metrics.announcements.add(1, { result: "dropped" });
    if (data.byteLength > MAX_ANNOUNCE_BYTES || author === this.#components.self().peerId) return drop();
    const message = parsed(data);
    if (topic === PEER_ANNOUNCE_TOPICS.content) {
      const said = contentAnnounceMessage.safeParse(message);
      if (!said.success || said.data.provider !== author || !this.#isTimely(said.data.timestamp))
        return drop();
      this.#remember(said.data.cid, author, said.data.addrs);
    } else {
      const schema = topic === PEER_ANNOUNCE_TOPICS.relay ? relayAnnounceMessage : discoveryMessage;
      const said = schema.safeParse(message);
      if (!said.success || said.data.peer_id !== author || !this.#isTimely(said.data.timestamp))
        return drop();
      onPeer(author, said.data.addrs);
    }
    metrics.announcements.add(1, { result: "heard" });
  }

  #remember(cid: string, peerId: string, addresses: readonly string[]): void {
    const known = this.#heard.get(cid) ?? new Map();
    known.delete(peerId);
    known.set(peerId, { addresses, atMs: this.#components.clock.now() });
    const [first] = known.keys();
    if (known.size > MAX_ANNOUNCERS_PER_CID && first !== undefined) known.delete(first);
    this.#heard.delete(cid);
    this.#heard.set(cid, known);
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > MAX_ANNOUNCED_CIDS && oldest !== undefined) this.#heard.delete(oldest);
  }

  #isTimely(timestamp: number): boolean {
    return Math.abs(timestamp * 1000 - this.#components.clock.now()) <= MAX_CLOCK_SKEW_MS;
  }

  #here(): void {
    const { self, role, protocols, clock } = this.#components;
    const { peerId, addresses } = self();
    this.#tell(DISCOVERY, {
      peer_id: peerId,
      addrs: addresses,
      protocols: protocols(),
      role,
      timestamp: clock.now() / 1000,
    });
  }

  #relay(): void {
    const { self, protocols, clock } = this.#components;
    const { peerId, addresses } = self();
    this.#tell(PEER_ANNOUNCE_TOPICS.relay, {
      peer_id: peerId,
      addrs: addresses,
      timestamp: clock.now() / 1000,
      capabilities: ["relay"],
      protocols: protocols(),
    });
  }

  #tell(topic: string, message: unknown): void {
    const { pubsub, metrics, log } = this.#components;
    metrics.announcements.add(1, { result: "told" });
    pubsub.publish(topic, Buffer.from(JSON.stringify(message))).catch((error: unknown) => {
      log.debug({ topic, reason: messageOf(error) }, "an announcement was not told");
    });
  }
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString("utf8"));
  } catch {
    return undefined;
  }
}
