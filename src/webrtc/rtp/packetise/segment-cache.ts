import type { RtpCodec, Segment } from "../../../media/index.ts";
import { packetiseSegment, type PacketisedSegment } from "./segment.ts";

interface Entry {
  readonly packetised: PacketisedSegment;
  users: number;
}

/** Packetised segments of one thread, kept while a viewer holds them. */
export class SegmentCache {
  readonly #entries = new Map<string, Entry>();

  /** Segments held at the moment. */
  get size(): number {
    return this.#entries.size;
  }

  /** The segment's payloads; each call needs one {@link release}. Throws `CORRUPT_MEDIA`. */
  acquire(segment: Segment, codec: RtpCodec): PacketisedSegment {
    const known = this.#entries.get(segment.key);
    if (known !== undefined) {
      known.users++;
      return known.packetised;
    }
    const packetised = packetiseSegment(segment, codec);
    this.#entries.set(segment.key, { packetised, users: 1 });
    return packetised;
  }

  /** Gives one use back; the last one frees the payloads (those in a viewer's RTX history live on until they leave it). */
  release(packetised: PacketisedSegment): void {
    const entry = this.#entries.get(packetised.segment.key);
    if (entry === undefined || entry.packetised !== packetised) return;
    entry.users--;
    if (entry.users === 0) this.#entries.delete(packetised.segment.key);
  }
}
