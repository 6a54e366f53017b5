import { FRAME_MAX_BYTES, MAX_DEMUX_CURSORS } from "../../limits.ts";
import type { MediaPacket, PacketReader } from "../track.ts";
import type { LibraryLink } from "./library-link.ts";
import type { FoundPacket } from "./protocol.ts";

interface Way {
  readonly cursor: number;
  readonly generation: number;
  packets: LibraryPacket[];
  ended: boolean;
  loading: Promise<void> | undefined;
}

/** Times nearer than this are the same: no packet is shorter. */
const SAME_SECONDS = 1e-6;

/** A way is taken before its search begins. */
const STARTING: Promise<void> = Promise.resolve();

/** A packet with the way on which it was found: the next one comes from there. */
interface LibraryPacket extends MediaPacket {
  readonly way: Way;
  readonly decodedSeconds: number;
}

/** Numbers of cursors, one count for all tracks of a file. */
export class CursorNumbers {
  #last = 0;

  next(): number {
    this.#last += 1;
    return this.#last;
  }
}

export interface LibraryReaderInit {
  readonly link: LibraryLink;
  readonly track: number;
  readonly numbers: CursorNumbers;
  readonly onDamage: (error: unknown) => void;
  readonly maxFrameBytes?: number | undefined;
}

/** Packets of a track that a demuxer's process reads. Who goes on from a packet reads on there; a few ways are kept open. */
export class LibraryReader implements PacketReader {
  readonly #init: LibraryReaderInit;
  /** The one used last stands last. */
  readonly #ways: Way[] = [];

  constructor(init: LibraryReaderInit) {
    this.#init = init;
  }

  first(): Promise<MediaPacket | undefined> {
    return this.#find("first", 0);
  }

  async at(timeSeconds: number): Promise<MediaPacket | undefined> {
    return this.#known(timeSeconds) ?? this.#find("at", timeSeconds);
  }

  async keyAt(timeSeconds: number): Promise<MediaPacket | undefined> {
    const found = await this.#find("key", timeSeconds);
    if (found !== undefined) return found;
    let packet = await this.first();
    while (packet !== undefined && packet.type !== "key") packet = await this.next(packet);
    return packet;
  }

  async next(packet: MediaPacket): Promise<MediaPacket | undefined> {
    if (!isOurs(packet)) throw new TypeError("This packet comes from another reader");
    const { way } = packet;
    const at = way.packets.indexOf(packet);
    if (at >= 0 && at + 1 < way.packets.length) return way.packets[at + 1];
    if (at >= 0 && way.ended) return undefined;
    if (at >= 0 && this.#isOpen(way)) {
      this.#use(way);
      if (await this.#more(way, packet)) {
        const after = way.packets.indexOf(packet);
        if (after >= 0) return way.packets[after + 1];
      }
    }
    return this.#findAfter(packet);
  }

  /** The packet at a time, where it has just been read and the one after it says that it is the last before that time. */
  #known(timeSeconds: number): LibraryPacket | undefined {
    for (const way of this.#ways) {
      if (!this.#isOpen(way)) continue;
      const at = way.packets.findIndex(
        (packet, i) =>
          packet.timestamp <= timeSeconds &&
          (timeSeconds - packet.timestamp < SAME_SECONDS ||
            (way.packets[i + 1]?.timestamp ?? Number.NEGATIVE_INFINITY) > timeSeconds),
      );
      if (at >= 0) return way.packets[at];
    }
    return undefined;
  }

  /** Reads the next packets; the last one of those before stays, so that who stands there finds the way on. */
  async #more(way: Way, last: LibraryPacket): Promise<boolean> {
    if (way.ended) return true;
    way.loading ??= (async () => {
      const batch = await this.#init.link.packets({ type: "demux-next", cursor: way.cursor });
      way.packets = [last, ...batch.packets.map(found => packetOf(found, way))];
      this.#end(way, batch);
    })().finally(() => (way.loading = undefined));
    return this.#survives(way.generation, way.loading);
  }

  /** False when the demuxer died over it: then its place is found anew in the next one. */
  async #survives(generation: number, work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (generation === this.#init.link.generation) throw error;
      return false;
    }
  }

  async #find(
    how: "first" | "at" | "key" | "order",
    timeSeconds: number,
  ): Promise<LibraryPacket | undefined> {
    const { link, track, maxFrameBytes = FRAME_MAX_BYTES } = this.#init;
    for (;;) {
      const way = await this.#newWay();
      const finding = (async () => {
        const batch = await link.packets({
          type: "demux-find",
          cursor: way.cursor,
          track,
          how,
          // Half a microsecond of rounding must not make it the packet before.
          atUs: timeSeconds * 1e6 + 0.5,
          maxFrameBytes,
        });
        way.packets = batch.packets.map(found => packetOf(found, way));
        this.#end(way, batch);
      })().finally(() => (way.loading = undefined));
      way.loading = finding;
      if (await this.#survives(way.generation, finding)) return way.packets[0];
    }
  }

  /** The packet after one whose way is closed: what is found with it is kept with it, so each time brings one more at least. */
  async #findAfter(packet: LibraryPacket): Promise<MediaPacket | undefined> {
    const again = await this.#find("order", packet.decodedSeconds);
    return again === undefined ? undefined : this.next(again);
  }

  #end(way: Way, batch: { readonly ended: boolean; readonly damage?: string | undefined }): void {
    way.ended = batch.ended;
    if (batch.damage !== undefined) this.#init.onDamage(new Error(batch.damage));
  }

  #isOpen(way: Way): boolean {
    return way.generation === this.#init.link.generation && this.#ways.includes(way);
  }

  #use(way: Way): void {
    this.#ways.splice(this.#ways.indexOf(way), 1);
    this.#ways.push(way);
  }

  /** A way of its own: that of the longest unused cursor once there are enough. */
  async #newWay(): Promise<Way> {
    const { link, numbers } = this.#init;
    await link.open();
    const { generation } = link;
    let unused: Way | undefined;
    while (this.#ways.length >= MAX_DEMUX_CURSORS) {
      const at = this.#ways.findIndex(way => way.loading === undefined);
      if (at >= 0) [unused] = this.#ways.splice(at, 1);
      else await Promise.race(this.#ways.map(async way => way.loading?.catch(() => undefined)));
    }
    const cursor = unused?.generation === generation ? unused.cursor : numbers.next();
    const way: Way = { cursor, generation, packets: [], ended: false, loading: STARTING };
    this.#ways.push(way);
    return way;
  }
}

function isOurs(packet: MediaPacket): packet is LibraryPacket {
  return "way" in packet;
}

function packetOf({ data, ptsUs, dtsUs, durationUs, key, position }: FoundPacket, way: Way): LibraryPacket {
  return {
    data,
    byteLength: data.length,
    type: key ? "key" : "delta",
    timestamp: ptsUs / 1e6,
    decodedSeconds: dtsUs / 1e6,
    duration: durationUs / 1e6,
    position,
    way,
  };
}
