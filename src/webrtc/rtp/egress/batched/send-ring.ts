import { SLOT_BYTES } from "../limits.ts";
import type { EgressStats } from "../types.ts";
import type { NativeCalls } from "./native.ts";
import { nativeBuffer } from "./native-sealer.ts";

/** Packets that may wait for one system call. */
export const BATCH_SLOTS = 1024;
/** Room before a packet's encrypted part for its header, which ends there. */
const HEAD_BYTES = 64;
const STRIDE = HEAD_BYTES + SLOT_BYTES;
/** Segments of one message: the kernel takes 64, and 65,507 bytes in all. */
const MAX_SEGMENTS = 44;
const MAX_RUN_BYTES = 64_000;
const MAX_ADDRESS_BYTES = 28;

// Layouts of 64-bit Linux: struct mmsghdr, struct iovec, a cmsghdr with 16 bits.
const WORD_BYTES = 4;
const MESSAGE_BYTES = 64;
const VECTOR_BYTES = 16;
const CONTROL_BYTES = 24;
const CONTROL_LENGTH = 18;

const DONT_WAIT = 0x40;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const errors = { EPERM: 1, EINTR: 4, EIO: 5, EAGAIN: 11, EINVAL: 22, EMSGSIZE: 90, ENOBUFS: 105 } as const;
/** What says that native sending itself does not work: ENOSYS, EBADF, EFAULT, ENOTSOCK. */
const FATAL: ReadonlySet<number> = new Set([38, 9, 14, 88]);
const NO_SEGMENTS: ReadonlySet<number> = new Set([errors.EIO, errors.EINVAL, errors.EMSGSIZE]);

/** Where a run of packets goes. Another address is another object. */
export interface Destination {
  /** A `sockaddr`, in memory of its own. */
  readonly address: Buffer;
  /** False when the path does not take segmented messages. */
  segmented: boolean;
}

/** True when the kernel cuts a message into segments (since 4.18): older ones pass over the wish in silence. */
export function kernelSegments(calls: NativeCalls, fd: number): boolean {
  const length = nativeBuffer(4);
  length.writeUInt32LE(4);
  return calls.getsockopt(fd, SOL_UDP, UDP_SEGMENT, nativeBuffer(4), length) === 0;
}

/**
 * Packets of one tick in native memory, sent by one `sendmmsg`: neighbours to one address, of one size but for the last,
 * as one message that the kernel cuts (UDP_SEGMENT). What the socket does not take waits for the next {@link flush}.
 */
export class SendRing {
  readonly arena = nativeBuffer(BATCH_SLOTS * STRIDE);
  readonly #calls: NativeCalls;
  readonly #fd: number;
  readonly #stats: EgressStats;
  readonly #bodies: readonly bigint[];
  readonly #vectors: Uint32Array;
  readonly #messages: Uint32Array;
  readonly #controls: Buffer;
  readonly #names: Buffer;
  readonly #at: Readonly<Record<"arena" | "vectors" | "messages" | "controls" | "names", number>>;
  readonly #destinations: (Destination | undefined)[] = Array.from({ length: BATCH_SLOTS }, () => undefined);
  readonly #first = new Uint16Array(BATCH_SLOTS);
  readonly #count = new Uint16Array(BATCH_SLOTS);
  readonly #size = new Uint16Array(BATCH_SLOTS);
  readonly #bytes = new Uint32Array(BATCH_SLOTS);
  readonly #segmentation: boolean;
  #slots = 0;
  #runs = 0;
  #sentRuns = 0;
  /** The newest run has had its short packet, or stands alone. */
  #runClosed = true;

  constructor(init: { readonly calls: NativeCalls; readonly fd: number; readonly stats: EgressStats }) {
    const { calls, fd } = init;
    this.#calls = calls;
    this.#fd = fd;
    this.#stats = init.stats;
    this.#segmentation = kernelSegments(calls, fd);
    const vectors = nativeBuffer(BATCH_SLOTS * VECTOR_BYTES);
    const messages = nativeBuffer(BATCH_SLOTS * MESSAGE_BYTES);
    // Words: they are written per packet, and without checks.
    this.#vectors = new Uint32Array(vectors.buffer);
    this.#messages = new Uint32Array(messages.buffer);
    this.#controls = nativeBuffer(BATCH_SLOTS * CONTROL_BYTES);
    this.#names = nativeBuffer(BATCH_SLOTS * MAX_ADDRESS_BYTES);
    // User space addresses have 47 bits: exact as numbers, which need no allocation per packet.
    const at = (buffer: Buffer): number => Number(calls.address(buffer));
    this.#at = {
      arena: at(this.arena),
      vectors: at(vectors),
      messages: at(messages),
      controls: at(this.#controls),
      names: at(this.#names),
    };
    this.#bodies = Array.from({ length: BATCH_SLOTS }, (_, slot) =>
      BigInt(this.#at.arena + slot * STRIDE + HEAD_BYTES),
    );
    for (let i = 0; i < BATCH_SLOTS; i++) {
      this.#controls.writeUInt32LE(CONTROL_LENGTH, i * CONTROL_BYTES);
      this.#controls.writeInt32LE(SOL_UDP, i * CONTROL_BYTES + 8);
      this.#controls.writeInt32LE(UDP_SEGMENT, i * CONTROL_BYTES + 12);
    }
  }

  /** A free slot for the next {@link push}; -1 when the socket takes no more. */
  take(): number {
    if (this.#slots === BATCH_SLOTS) this.flush();
    return this.#slots < BATCH_SLOTS ? this.#slots : -1;
  }

  /** Where a slot's encrypted part begins in {@link arena}. */
  bodyAt(slot: number): number {
    return slot * STRIDE + HEAD_BYTES;
  }

  /** The same place as an address. */
  bodyAddress(slot: number): bigint {
    return this.#bodies[slot] ?? 0n;
  }

  /** Queues the slot that {@link take} gave: `header` before the `bodyBytes` that are written already. */
  push(to: Destination, header: Buffer, bodyBytes: number): void {
    const slot = this.#slots++;
    const start = this.bodyAt(slot) - header.length;
    const { arena } = this;
    for (let i = 0; i < header.length; i++) arena[start + i] = header[i] ?? 0;
    const size = header.length + bodyBytes;
    const vector = (slot * VECTOR_BYTES) / WORD_BYTES;
    writeAddress(this.#vectors, vector, this.#at.arena + start);
    this.#vectors[vector + 2] = size;
    if (!this.#extend(to, size)) this.#begin(to, slot, size);
  }

  /** Sends what waits. Throws when native sending does not work here at all. */
  flush(): void {
    while (this.#sentRuns < this.#runs) {
      const from = BigInt(this.#at.messages + this.#sentRuns * MESSAGE_BYTES);
      const sent = this.#calls.sendmmsg(this.#fd, from, this.#runs - this.#sentRuns, DONT_WAIT);
      if (sent > 0) this.#sentRuns += sent;
      else if (!this.#overcome(this.#calls.errno())) return;
    }
    this.#destinations.fill(undefined, 0, this.#runs);
    this.#slots = this.#runs = this.#sentRuns = 0;
    this.#runClosed = true;
  }

  #extend(to: Destination, size: number): boolean {
    const run = this.#runs - 1;
    if (this.#runClosed || run < this.#sentRuns || this.#destinations[run] !== to) return false;
    const whole = this.#size[run] ?? 0;
    const bytes = (this.#bytes[run] ?? 0) + size;
    const count = this.#count[run] ?? 0;
    if (size > whole || count >= MAX_SEGMENTS || bytes > MAX_RUN_BYTES) return false;
    this.#count[run] = count + 1;
    this.#bytes[run] = bytes;
    if (size < whole) this.#runClosed = true;
    this.#describe(run);
    return true;
  }

  #begin(to: Destination, slot: number, size: number): void {
    const run = this.#runs++;
    this.#destinations[run] = to;
    this.#first[run] = slot;
    this.#count[run] = 1;
    this.#size[run] = this.#bytes[run] = size;
    this.#runClosed = !(this.#segmentation && to.segmented);
    to.address.copy(this.#names, run * MAX_ADDRESS_BYTES);
    const message = (run * MESSAGE_BYTES) / WORD_BYTES;
    writeAddress(this.#messages, message, this.#at.names + run * MAX_ADDRESS_BYTES);
    this.#messages[message + 2] = to.address.length;
    writeAddress(this.#messages, message + 4, this.#at.vectors + slot * VECTOR_BYTES);
    this.#controls.writeUInt16LE(size, run * CONTROL_BYTES + 16);
    this.#describe(run);
  }

  /** Writes what changes as a run grows. */
  #describe(run: number): void {
    const message = (run * MESSAGE_BYTES) / WORD_BYTES;
    const count = this.#count[run] ?? 0;
    this.#messages[message + 6] = count;
    writeAddress(this.#messages, message + 8, count > 1 ? this.#at.controls + run * CONTROL_BYTES : 0);
    this.#messages[message + 10] = count > 1 ? CONTROL_BYTES : 0;
  }

  /** After an error: true to go on with the next message, false to wait for the next flush. */
  #overcome(errno: number): boolean {
    if (errno === errors.EINTR) return true;
    // A run that waits must not grow any more: the kernel may see it in the meantime.
    this.#runClosed = true;
    if (errno === errors.EAGAIN || errno === errors.ENOBUFS) return false;
    if (FATAL.has(errno)) throw new Error(`sendmmsg failed with errno ${errno}`);
    const run = this.#sentRuns++;
    const count = this.#count[run] ?? 0;
    const to = this.#destinations[run];
    if (count > 1 && to !== undefined && NO_SEGMENTS.has(errno)) {
      to.segmented = false;
      this.#sendSingly(run, to);
    } else {
      this.#stats.errors += count;
    }
    return true;
  }

  #sendSingly(run: number, to: Destination): void {
    const first = this.#first[run] ?? 0;
    for (let slot = first; slot < first + (this.#count[run] ?? 0); slot++) {
      const vector = (slot * VECTOR_BYTES) / WORD_BYTES;
      const high = BigInt(this.#vectors[vector + 1] ?? 0);
      const data = (high << 32n) | BigInt(this.#vectors[vector] ?? 0);
      const bytes = this.#vectors[vector + 2] ?? 0;
      const sent = this.#calls.sendto(this.#fd, data, bytes, DONT_WAIT, to.address, to.address.length);
      if (sent < 0) this.#stats.errors++;
    }
  }
}

/** `at` counts words. The systems that this is made for are little endian. */
function writeAddress(into: Uint32Array, at: number, address: number): void {
  into[at] = address % 0x1_0000_0000;
  into[at + 1] = Math.floor(address / 0x1_0000_0000);
}
