import type { Socket } from "node:dgram";
import { CidcastError, messageOf } from "../../../../core/index.ts";
import { JsEgress, JsLink, JsStream } from "../js-egress.ts";
import { MAX_PAYLOAD_ROOM } from "../limits.ts";
import { RtpHeader } from "../rtp-header.ts";
import type {
  Egress,
  EgressKind,
  EgressLink,
  EgressStats,
  EgressStream,
  LinkInit,
  StreamInit,
} from "../types.ts";
import type { NativeCalls } from "./native.ts";
import { NativeSealer, SealerMemory } from "./native-sealer.ts";
import { checkSealing } from "./self-test.ts";
import { type Destination, SendRing } from "./send-ring.ts";
import { descriptorOf, socketAddress } from "./socket-address.ts";

export interface BatchedEgressInit {
  readonly socket: Socket;
  readonly calls: NativeCalls;
  /** Native code failed; from now on everything leaves through plain JavaScript. */
  readonly onFallback?: (reason: string) => void;
}

/**
 * Egress that encrypts with OpenSSL's kept contexts and hands many packets to the kernel at a time. `FEATURE_DISABLED`
 * when the socket's descriptor cannot be had or the first packet comes out wrong.
 */
export function createBatchedEgress(init: BatchedEgressInit): Egress {
  const fd = descriptorOf(init.socket);
  if (fd < 0) throw new CidcastError("FEATURE_DISABLED", "the socket's descriptor is not to be had");
  checkSealing(init.calls);
  return new BatchedEgress(init, fd);
}

class BatchedEgress implements Egress {
  readonly stats: EgressStats = { packets: 0, bytes: 0, dropped: 0, errors: 0 };
  readonly ring: SendRing;
  readonly memory: SealerMemory;
  readonly #init: BatchedEgressInit;
  readonly #family: string;
  #fallback: JsEgress | undefined;
  #closed = false;

  constructor(init: BatchedEgressInit, fd: number) {
    this.#init = init;
    this.#family = init.socket.address().family;
    this.memory = new SealerMemory(init.calls);
    this.ring = new SendRing({ calls: init.calls, fd, stats: this.stats });
  }

  get kind(): EgressKind {
    return this.#fallback === undefined ? "batched" : "js";
  }

  /** Set once native code has failed. */
  get fallback(): JsEgress | undefined {
    return this.#fallback;
  }

  get closed(): boolean {
    return this.#closed;
  }

  link(init: LinkInit): EgressLink {
    return new BatchedLink(this, init);
  }

  destination(host: string, port: number): Destination {
    return { address: socketAddress(this.#init.calls, this.#family, host, port), segmented: true };
  }

  flush(): void {
    if (this.#closed || this.#fallback !== undefined) return;
    try {
      this.ring.flush();
    } catch (error) {
      this.fail(messageOf(error));
    }
  }

  /** Gives native code up for good. What waits is lost, and asked for again. */
  fail(reason: string): void {
    if (this.#fallback !== undefined) return;
    this.#fallback = new JsEgress(this.#init.socket, this.stats);
    this.#init.onFallback?.(reason);
  }

  close(): void {
    this.flush();
    this.#closed = true;
    this.#fallback?.close();
  }
}

class BatchedLink implements EgressLink {
  readonly egress: BatchedEgress;
  readonly init: LinkInit;
  readonly sealer: NativeSealer;
  destination: Destination;
  open = true;
  transportSequence = 0;
  #host: string;
  #port: number;
  #js: JsLink | undefined;

  constructor(egress: BatchedEgress, init: LinkInit) {
    this.egress = egress;
    this.init = init;
    this.#host = init.host;
    this.#port = init.port;
    this.destination = egress.destination(init.host, init.port);
    this.sealer = new NativeSealer(egress.memory, init.keys);
  }

  stream(init: StreamInit): EgressStream {
    return new BatchedStream(this, init);
  }

  setRemote(host: string, port: number): void {
    this.#host = host;
    this.#port = port;
    this.destination = this.egress.destination(host, port);
    this.#js?.setRemote(host, port);
  }

  /** The same viewer in plain JavaScript. */
  js(egress: JsEgress): JsLink {
    if (this.#js !== undefined) return this.#js;
    const made = new JsLink(egress, { ...this.init, host: this.#host, port: this.#port });
    made.transportSequence = this.transportSequence;
    this.#js = made;
    return made;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.#js?.close();
    this.sealer.close();
  }
}

class BatchedStream implements EgressStream {
  readonly #link: BatchedLink;
  readonly #header: RtpHeader;
  /** One object per stream, filled in anew for each packet. */
  readonly #target: { arena: Buffer; at: number; address: bigint };
  #js: JsStream | undefined;

  constructor(link: BatchedLink, init: StreamInit) {
    this.#link = link;
    this.#header = new RtpHeader(init);
    this.#target = { arena: link.egress.ring.arena, at: 0, address: 0n };
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
    const { egress } = link;
    if (!link.open || egress.closed) return;
    if (egress.fallback !== undefined) {
      this.#js ??= new JsStream(link.js(egress.fallback), this.#header);
      this.#js.send(payload, timestamp, marker, prefix);
    } else if (!this.#sendNatively(payload, timestamp, marker, prefix ?? -1)) {
      this.send(payload, timestamp, marker, prefix);
    }
  }

  /** False when native code failed: the egress has given it up. */
  #sendNatively(payload: Buffer, timestamp: number, marker: boolean, prefix: number): boolean {
    const link = this.#link;
    const { egress } = link;
    const header = this.#header;
    let bytes = 0;
    try {
      const slot = payload.length > MAX_PAYLOAD_ROOM ? -1 : egress.ring.take();
      const transport = (link.transportSequence + 1) & 0xffff;
      header.fill(timestamp, marker, transport);
      if (slot < 0) {
        link.transportSequence = transport;
        // A gap in the numbers: the viewer sees the loss and asks again.
        egress.stats.dropped++;
        header.advance(payload.length);
        return true;
      }
      const target = this.#target;
      target.at = egress.ring.bodyAt(slot);
      target.address = egress.ring.bodyAddress(slot);
      bytes = link.sealer.seal(header, payload, prefix, target);
    } catch (error) {
      egress.fail(messageOf(error));
      return false;
    }
    if (bytes === 0) {
      egress.fail("OpenSSL did not encrypt a packet");
      return false;
    }
    link.transportSequence = (link.transportSequence + 1) & 0xffff;
    egress.ring.push(link.destination, header.bytes, bytes);
    bytes += header.bytes.length;
    header.advance(payload.length);
    egress.stats.packets++;
    egress.stats.bytes += bytes;
    link.init.onSent?.(link.transportSequence, bytes);
    return true;
  }
}
