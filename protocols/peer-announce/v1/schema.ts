import { z } from "zod";

/** Topics of gossipsub on which nodes tell each other of themselves and of content. */
export const PEER_ANNOUNCE_TOPICS = {
  /** {@link discoveryMessage}: of all nodes with the same rendezvous. */
  discovery: (rendezvous: string): string => `ipfs-kit/discovery/${rendezvous}`,
  /** {@link contentAnnounceMessage}. */
  content: "ipfs-kit/content-announce",
  /** {@link relayAnnounceMessage}. */
  relay: "ipfs-kit/relay-announce",
} as const;

/** Rendezvous where nothing else is agreed. */
export const DEFAULT_RENDEZVOUS = "cidcast";
/** Largest message, bytes: what is larger is dropped unread. */
export const MAX_ANNOUNCE_BYTES = 8 * 1024;
/** Addresses in a message; the rest is passed over. */
export const MAX_ANNOUNCED_ADDRESSES = 16;

const peerId = z.string().min(1).max(128);
const addresses = z
  .array(z.string().max(512))
  .max(64)
  .transform(list => list.slice(0, MAX_ANNOUNCED_ADDRESSES));
/** Unix seconds, with a fraction. */
const timestamp = z.number();

/** "I am here." */
export const discoveryMessage = z.looseObject({
  peer_id: peerId,
  addrs: addresses,
  protocols: z.array(z.string().max(128)).max(64).optional(),
  role: z.string().max(32).optional(),
  timestamp,
});

/** "I have this." */
export const contentAnnounceMessage = z.looseObject({
  cid: z.string().min(1).max(128),
  provider: peerId,
  timestamp,
  addrs: addresses,
  size: z.number().nonnegative().optional(),
  type: z.string().max(128).optional(),
  name: z.string().max(512).optional(),
});

/** "I carry connections of others." */
export const relayAnnounceMessage = z.looseObject({
  peer_id: peerId,
  addrs: addresses,
  timestamp,
  capabilities: z.array(z.string().max(64)).max(16),
  protocols: z.array(z.string().max(128)).max(64).optional(),
});

export type DiscoveryMessage = z.output<typeof discoveryMessage>;
export type ContentAnnounceMessage = z.output<typeof contentAnnounceMessage>;
export type RelayAnnounceMessage = z.output<typeof relayAnnounceMessage>;
