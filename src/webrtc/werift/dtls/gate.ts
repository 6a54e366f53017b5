import { HandshakeOrder, type OrderedMessage } from "./handshake-order.ts";
import {
  HandshakeProofError,
  proveCertificateVerify,
  proveFinished,
  proveServerKeyExchange,
} from "./handshake-proof.ts";
import type { DtlsInternals, HandshakeMessage } from "../internals.ts";

const RECORD_HEADER_BYTES = 13;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const CLIENT_HELLO = 1;
const SERVER_KEY_EXCHANGE = 12;
const SERVER_HELLO_DONE = 14;
const CERTIFICATE_VERIFY = 15;
const FINISHED = 20;
/** Certificate, key exchanges, CertificateRequest, CertificateVerify: what comes next needs them done. */
const SHORT: ReadonlySet<number> = new Set([11, 12, 13, 15, 16]);
const FATAL = 2;
const CLOSE_NOTIFY = 0;
/** Encrypted records kept until the keys are there, or until Finished is proven: they may overtake what makes them readable. */
export const MAX_HELD_RECORDS = 16;

export interface DtlsGateInit {
  readonly dtls: DtlsInternals;
  readonly role: "client" | "server";
  readonly onFailed: (error: Error) => void;
  /** The peer has not seen our last flight. */
  readonly onRepeated: () => void;
  /** The first application data: the peer has the keys. */
  readonly onApplicationData: () => void;
}

/**
 * Stands before werift's DTLS: puts handshake messages in order, proves what it takes on trust (CertificateVerify, the
 * server's key exchange, Finished), and lets nothing encrypted through before Finished, nor a second handshake after it.
 */
export class DtlsGate {
  readonly #init: DtlsGateInit;
  readonly #order = new HandshakeOrder();
  #held: Buffer[] = [];
  #pending: OrderedMessage[] = [];
  #delivering = false;
  #possessionProven = false;
  #finished = false;
  #failed = false;

  constructor(init: DtlsGateInit) {
    this.#init = init;
  }

  /** True once the peer's Finished, and all before it, is proven. */
  get proven(): boolean {
    return this.#finished;
  }

  receive(datagram: Buffer): void {
    let at = 0;
    while (at + RECORD_HEADER_BYTES <= datagram.length && !this.#failed) {
      const end = at + RECORD_HEADER_BYTES + datagram.readUInt16BE(at + 11);
      if (end > datagram.length) return;
      this.#record(datagram.subarray(at, end));
      at = end;
    }
  }

  #record(record: Buffer): void {
    try {
      if (record.readUInt16BE(3) > 0) this.#encrypted(record);
      else if (record[0] === HANDSHAKE) this.#clearHandshake(record);
      else if (record[0] === ALERT && !this.#finished && record[RECORD_HEADER_BYTES] === FATAL) {
        throw new Error(`the peer ended the DTLS handshake with alert ${record[RECORD_HEADER_BYTES + 1]}`);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #clearHandshake(record: Buffer): void {
    // After Finished only its own repetition, which is encrypted, has a meaning. A new ClientHello would replace the keys.
    if (this.#finished) return;
    for (const entry of this.#order.push(record.subarray(RECORD_HEADER_BYTES))) {
      if (entry.message.msg_type === FINISHED) throw new HandshakeProofError("Finished came in the clear");
      this.#pending.push(entry);
    }
    void this.#deliverPending();
  }

  #encrypted(record: Buffer): void {
    const ready = this.#init.dtls.cipher.cipher !== undefined && !this.#delivering;
    if (!ready || (record[0] !== HANDSHAKE && !this.#finished)) {
      if (this.#held.length < MAX_HELD_RECORDS) this.#held.push(Buffer.from(record));
      return;
    }
    if (record[0] === APPLICATION_DATA) {
      this.#init.dtls.udpOnMessage(record);
      this.#init.onApplicationData();
      return;
    }
    const plain = this.#decrypt(record);
    if (plain === undefined) return;
    if (record[0] === ALERT) {
      if (plain[0] === FATAL || plain[1] === CLOSE_NOTIFY) this.#init.dtls.onClose.execute();
      return;
    }
    if (record[0] !== HANDSHAKE) return;
    for (const entry of this.#order.push(plain)) {
      if (entry.message.msg_type === FINISHED) this.#pending.push(entry);
    }
    void this.#deliverPending();
  }

  /** Undefined for what does not authenticate: anybody can send it, so it ends nothing. */
  #decrypt(record: Buffer): Buffer | undefined {
    const packet = {
      recordLayerHeader: {
        contentType: record[0],
        protocolVersion: { major: record[1], minor: record[2] },
        epoch: record.readUInt16BE(3),
        sequenceNumber: record.readUIntBE(5, 6),
        contentLen: record.readUInt16BE(11),
      },
      fragment: record.subarray(RECORD_HEADER_BYTES),
    };
    try {
      return this.#init.dtls.cipher.decryptPacket(packet);
    } catch {
      return undefined;
    }
  }

  /** Hands messages on one at a time: the package takes up some of them only a moment later. */
  async #deliverPending(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (
        let next = this.#pending.shift();
        next !== undefined && !this.#failed;
        next = this.#pending.shift()
      ) {
        const handled = this.#deliver(next);
        // Other promises last as long as a flight's retransmission.
        if (SHORT.has(next.message.msg_type)) await handled;
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#delivering = false;
    }
    this.#releaseHeld();
  }

  async #deliver({ message, repeated }: OrderedMessage): Promise<void> {
    const { dtls } = this.#init;
    if (repeated && !this.#asksAgain(message)) return;
    try {
      if (!repeated) this.#prove(message);
      if (message.msg_type === FINISHED) this.#finished = true;
      await dtls.onHandleHandshakes([message]);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Answers one message of each repeated flight. True for a first ClientHello, which the package answers anew. */
  #asksAgain(message: HandshakeMessage): boolean {
    const { dtls, role, onRepeated } = this.#init;
    if (role === "server" && message.msg_type === CLIENT_HELLO && message.message_seq === 0) {
      // Once the second has been answered, it would draw new keys under the handshake.
      return dtls.dtls.flight < 4;
    }
    const one = role === "client" ? [SERVER_HELLO_DONE] : [CLIENT_HELLO, FINISHED];
    if (one.includes(message.msg_type)) onRepeated();
    return false;
  }

  #prove(message: HandshakeMessage): void {
    const { dtls, role } = this.#init;
    const { cipher } = dtls;
    if (role === "server" && message.msg_type === CERTIFICATE_VERIFY) {
      proveCertificateVerify(message.fragment, this.#transcript(), cipher.remoteCertificate);
      this.#possessionProven = true;
    } else if (role === "client" && message.msg_type === SERVER_KEY_EXCHANGE) {
      const randoms = { client: cipher.localRandom.serialize(), server: cipher.remoteRandom.serialize() };
      proveServerKeyExchange(message.fragment, randoms, cipher.remoteCertificate);
      this.#possessionProven = true;
    } else if (message.msg_type === FINISHED) {
      if (!this.#possessionProven)
        throw new HandshakeProofError("Finished came before a proof of the certificate's key");
      if (cipher.masterSecret === undefined) throw new HandshakeProofError("Finished came before the keys");
      const sender = role === "server" ? "client" : "server";
      proveFinished(message.fragment, this.#transcript(), { master: cipher.masterSecret, sender });
    }
  }

  #transcript(): Buffer {
    return Buffer.concat(this.#init.dtls.dtls.sortedHandshakeCache.map(message => message.serialize()));
  }

  #releaseHeld(): void {
    if (this.#held.length === 0 || this.#delivering || this.#init.dtls.cipher.cipher === undefined) return;
    const held = this.#held;
    this.#held = [];
    for (const record of held) if (!this.#failed) this.#record(record);
  }

  #fail(error: unknown): void {
    if (this.#failed || this.#init.dtls.connected) return;
    this.#failed = true;
    this.#held = [];
    this.#init.onFailed(error instanceof Error ? error : new Error(String(error)));
  }
}
