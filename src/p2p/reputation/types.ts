/** How it went with a peer that was asked for something. */
export interface PeerOutcome {
  /** `lacks`: it answered well that it does not have it, which says nothing bad of it. `bad`: it sent bytes that are not what was asked for. */
  readonly result: "ok" | "lacks" | "failed" | "bad";
  /** Time to the first answer. */
  readonly latencyMs?: number;
  /** Verified bytes that it sent, and the time they took. */
  readonly bytes?: number;
  readonly durationMs?: number;
  /** CID of what was being read: its root. A peer that served it scores higher for it and for its siblings. */
  readonly about?: string;
}

/** What is known of a peer, as others may see it. */
export interface PeerFacts {
  readonly peerId: string;
  /** As {@link Reputation.score} without a CID: 0.5 for a stranger, the higher the better. */
  readonly score: number;
  /** 0 to 1: share of askings that went well, the newest counting most, old ones fading. */
  readonly success: number;
  readonly latencyMs: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly bytesVerified: number;
  readonly badBlocks: number;
  /** How many CIDs it is known to have served. */
  readonly served: number;
  /** Wall clock, milliseconds since 1970; undefined when it may be asked now. */
  readonly backoffUntilMs: number | undefined;
  readonly bannedUntilMs: number | undefined;
  readonly lastSeenMs: number;
}

/** What this node has learnt of other peers by asking them. All keys are PeerIds. */
export interface Reputation {
  /** How good a peer is to be asked: about 0 to 1.5. `about`: the root wanted, by which who served it or a sibling comes first. */
  score(peerId: string, about?: string): number;
  /** True when the peer is known to have served `about`, or a sibling of it. */
  hasServed(peerId: string, about: string): boolean;
  /** The peers, the best first; those that are banned are left out, those that are backed off come last. */
  rank(peerIds: readonly string[], about?: string): string[];
  /** Milliseconds until the peer is to be asked again: banned, or backed off after failures. 0: now. */
  waitMs(peerId: string): number;
  /** True while it is banned for bad blocks: nothing is taken from it, and no connection kept. */
  isBanned(peerId: string): boolean;
  note(peerId: string, outcome: PeerOutcome): void;
  /** Tells that `children` belong together under `parent` (a directory, a collection, a manifest): who served one is asked first for the others. */
  relate(parent: string, children: readonly string[]): void;
  facts(peerId: string): PeerFacts | undefined;
  /** All that is known, the best first. */
  list(): PeerFacts[];
}

/** Events of reputation. */
export interface ReputationEvents {
  peer_banned: { readonly peerId: string; readonly untilMs: number; readonly reason: string };
}
