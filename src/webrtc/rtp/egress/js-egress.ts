import type { Socket } from "node:dgram";
import { MAX_PAYLOAD_ROOM, SLOT_BYTES } from "./limits.ts";
import { RtpHeader } from "./rtp-header.ts";
import { Sealer } from "./sealer.ts";
import type { Egress, EgressLink, EgressStats, EgressStream, LinkInit, StreamInit } from "./types.ts";

/** Datagrams that may be under way to the kernel. A slot is written again only when the kernel has taken it. */
export const SEND_SLOTS = 2048;

/**
 * Egress in plain JavaScript: node:crypto and dgram, on every platform. The socket's `lookup` must answer at once (see
 * werift/mux), or packets leave a tick late.
 */
export function createJsEgress(init: { readonly socket: Socket }): Egress {
  return new JsEgress(init.socket);
}

/** See {@link createJsEgress}; also what a batched egress goes on with when native code fails. */
export class JsEgress implements Egress {
  readonly kind = "js";
  readonly stats: EgressStats;
  readonly #socket: Socket;
  readonly #arena = Buffer.alloc(SEND_SLOTS * SLOT_BYTES);
  #slot = 0;
  #closed = false;

  constructor(socket: Socket, stats: EgressStats = { packets: 0, bytes: 0, dropped: 0, errors: 0 }) {
    this.#socket = socket;
    this.stats = stats;
  }

  link(init: LinkInit): EgressLink {
    return new JsLink(this, init);
  }

  flush(): void {
    // dgram has sent each packet already.
  }

  close(): void {
    this.#closed = true;
  }

  /** A free slot, or -1 when the kernel takes no more. */
  slot(): number {
    // The queue is asked for only where the ring begins anew: then all slots may be under way.
    if (this.#slot % 64 === 0 && this.#socket.getSendQueueCount() > SEND_SLOTS - 128) return -1;
    const at = this.#slot * SLOT_BYTES;
    this.#slot = (this.#slot + 1) % SEND_SLOTS;
    return at;
  }

  get arena(): Buffer {
    return this.#arena;
  }

  send(at: number, bytes: number, link: JsLink): void {
    if (this.#closed) return;
    this.stats.packets++;
    this.stats.bytes += bytes;
    this.#socket.send(this.#arena, at, bytes, link.port, link.host, this.#onDone);
  }

  readonly #onDone = (error: Error | null): void => {
    if (error !== null) this.stats.errors++;
  };
}

/** A viewer's packets in plain JavaScript. */
export class JsLink implements EgressLink {
  readonly egress: JsEgress;
  readonly sealer: Sealer;
  readonly onSent: ((transportSequence: number, bytes: number) => void) | undefined;
  host: string;
  port: number;
  open = true;
  transportSequence = 0;

  constructor(egress: JsEgress, init: LinkInit) {
    this.egress = egress;
    this.sealer = new Sealer(init.keys);
    this.onSent = init.onSent;
    this.host = init.host;
    this.port = init.port;
  }

  stream(init: StreamInit): EgressStream {
    return new JsStream(this, new RtpHeader(init));
  }

  setRemote(host: string, port: number): void {
    this.host = host;
    this.port = port;
  }

  close(): void {
    this.open = false;
  }
}

/** One stream in plain JavaScript; goes on from where `header` is. */
export class JsStream implements EgressStream {
  readonly #link: JsLink;
  readonly #header: RtpHeader;

  constructor(link: JsLink, header: RtpHeader) {
    this.#link = link;
    this.#header = header;
  }

  get ssrc(): number {
    return this.#header.ssrc;
  }

  get payloadType(): number {
    return this.#header.payloadType;
  }

  set payloadType(payloadType: number) {
    this.#header.payloadType = payloadType;
  }

  get sequence(): number {
    return this.#header.sequence;
  }

  get packets(): number {
    return this.#header.packets;
  }

  get octets(): number {
    return this.#header.octets;
  }

  send(payload: Buffer, timestamp: number, marker: boolean, prefix?: number): void {
    const link = this.#link;
    if (!link.open) return;
    const { egress } = link;
    const header = this.#header;
    const at = payload.length > MAX_PAYLOAD_ROOM ? -1 : egress.slot();
    link.transportSequence = (link.transportSequence + 1) & 0xffff;
    header.fill(timestamp, marker, link.transportSequence);
    if (at < 0) {
      // A gap in the numbers: the viewer sees the loss and asks again.
      egress.stats.dropped++;
      header.advance(payload.length);
      return;
    }
    const bytes = link.sealer.seal(header, payload, prefix, egress.arena, at);
    header.advance(payload.length);
    link.onSent?.(link.transportSequence, bytes);
    egress.send(at, bytes, link);
  }
}
