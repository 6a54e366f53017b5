/**
 * How CIDs are made. The same bytes get the same CID as from
 * `ipfs add --cid-version=1 --raw-leaves --chunker=size-262144` (Kubo 0.43 with its default configuration).
 * Never changed: another way of making CIDs gets another name.
 */
export const CID_PROFILE = {
  name: "cidcast-v1",
  kuboCommand: "ipfs add --cid-version=1 --raw-leaves --chunker=size-262144",
  cidVersion: 1,
  hash: "sha2-256",
  rawLeaves: true,
  /** Bytes per leaf. Kubo's default, small enough to be verified soon on a slow link. */
  chunkBytes: 256 * 1024,
  /** Links per inner node, balanced layout. Kubo's default. */
  maxLinks: 174,
  /** Names and CIDs of a directory, in bytes, above which it becomes a HAMT. Kubo's `HAMTDirectorySizeThreshold`. */
  hamtThresholdBytes: 256 * 1024,
  /** Places per HAMT shard. */
  hamtFanout: 256,
} as const;
