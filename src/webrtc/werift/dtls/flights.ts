import type { Cancel, Clock } from "../../../core/index.ts";
import type { DtlsInternals } from "../internals.ts";

const RECORD_HEADER_BYTES = 13;
const EPOCH_AT = 3;
const SEQUENCE_AT = 5;
const LENGTH_AT = 11;
const CHANGE_CIPHER_SPEC = 20;
const HANDSHAKE = 22;
const HELLO_VERIFY_REQUEST = 3;
const FINISHED = 20;
/** The answer to Finished: nobody answers it, so no timer waits. */
const LAST_FLIGHT = 6;
/** First wait for an answer, ms, and twice the round trip where that is longer: a second, as RFC 6347 has it, is a viewer's whole patience. */
const FIRST_WAIT_MS = 60;
const LONGEST_WAIT_MS = 1000;
/** Repetitions of one flight: some 15 s, as long as a connection may take to come up. */
export const MAX_RESENDS = 18;
/** Datagrams of one flight. Ours have five. */
export const MAX_FLIGHT_DATAGRAMS = 16;
/** Shortest time between two repetitions that the peer asks for by repeating its own, ms. */
export const MIN_RESEND_MS = 20;

export interface FlightsInit {
  readonly dtls: DtlsInternals;
  readonly send: (datagram: Buffer) => Promise<void>;
  readonly clock: Pick<Clock, "after" | "monotonicMs">;
  /** Of the path, ms; undefined while it is not known. */
  readonly roundTripMs: () => number | undefined;
}

/**
 * Sends the flights of a handshake, and sends them again until they are answered: soon at first, each record under a
 * number of its own. The package waits half a second, repeats records under their old numbers, which a peer that has
 * seen them passes over, and begins those after Finished with 1 although Finished had one of them.
 * @see https://www.rfc-editor.org/rfc/rfc6347#section-4.2.4
 */
export class Flights {
  readonly #init: FlightsInit;
  #flight = 0;
  #datagrams: Buffer[] = [];
  /** Highest record number of epoch 0. */
  #clear = 0;
  #waitMs = FIRST_WAIT_MS;
  #resends = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  #cancel: Cancel = () => undefined;
  #closed = false;

  constructor(init: FlightsInit) {
    this.#init = init;
  }

  /** What the package sends. Its own repetitions go no further. */
  send(datagram: Buffer): Promise<void> {
    const type = datagram[0];
    if (this.#closed || (type !== HANDSHAKE && type !== CHANGE_CIPHER_SPEC)) return this.#init.send(datagram);
    this.#note(datagram);
    // Without state, and so without repetition: a viewer that misses it asks again.
    if (isClear(datagram) && datagram[RECORD_HEADER_BYTES] === HELLO_VERIFY_REQUEST && type === HANDSHAKE)
      return this.#init.send(datagram);
    const { flight } = this.#init.dtls.dtls;
    if (flight !== this.#flight) this.#begin(flight);
    if (this.#datagrams.includes(datagram)) return Promise.resolve();
    if (this.#datagrams.length < MAX_FLIGHT_DATAGRAMS) this.#datagrams.push(datagram);
    this.#sentMs = this.#init.clock.monotonicMs();
    return this.#init.send(datagram);
  }

  /** The peer has repeated its flight: it has not seen ours. */
  again(): void {
    if (this.#init.clock.monotonicMs() - this.#sentMs >= MIN_RESEND_MS) this.#resend();
  }

  /** The handshake is done; the last flight may still be asked for. */
  done(): void {
    this.#cancel();
    if (this.#flight !== LAST_FLIGHT) this.close();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#datagrams = [];
  }

  #begin(flight: number): void {
    this.#flight = flight;
    this.#datagrams = [];
    this.#resends = 0;
    this.#waitMs = Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, 2 * (this.#init.roundTripMs() ?? 0)));
    this.#cancel();
    if (flight !== LAST_FLIGHT) this.#wait();
  }

  #wait(): void {
    this.#cancel = this.#init.clock.after(this.#waitMs, () => {
      this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
      this.#resends++;
      this.#resend();
      if (this.#resends < MAX_RESENDS) this.#wait();
    });
  }

  #resend(): void {
    if (this.#closed) return;
    this.#sentMs = this.#init.clock.monotonicMs();
    for (const datagram of this.#datagrams) {
      const renewed = isClear(datagram) ? this.#renumbered(datagram) : this.#finished();
      // A send that fails is a datagram that is lost.
      if (renewed !== undefined) this.#init.send(renewed).catch(() => undefined);
    }
  }

  /** Keeps the numbers of what the package has sent, so that none is used twice. */
  #note(datagram: Buffer): void {
    for (const at of records(datagram)) {
      const number = datagram.readUIntBE(at + SEQUENCE_AT, 6);
      if (datagram.readUInt16BE(at + EPOCH_AT) === 0) this.#clear = Math.max(this.#clear, number);
      else this.#used(number);
    }
  }

  /** A number of epoch 1 is taken: with AES-GCM a second record under it would give the keys away. */
  #used(number: number): void {
    const { dtls } = this.#init.dtls;
    dtls.recordSequenceNumber = Math.max(dtls.recordSequenceNumber, number);
  }

  #renumbered(datagram: Buffer): Buffer {
    const copy = Buffer.from(datagram);
    for (const at of records(copy)) copy.writeUIntBE(++this.#clear, at + SEQUENCE_AT, 6);
    const { dtls } = this.#init.dtls;
    if (dtls.epoch === 0) dtls.recordSequenceNumber = this.#clear;
    return copy;
  }

  /** Our Finished, encrypted once more under a number of its own. */
  #finished(): Buffer | undefined {
    const { dtls, cipher } = this.#init.dtls;
    const message = dtls.handshakeCache[this.#flight]?.data.find(({ msg_type }) => msg_type === FINISHED);
    if (message === undefined) return undefined;
    const sequenceNumber = ++dtls.recordSequenceNumber;
    const fragment = message.serialize();
    const [major, minor] = [0xfe, 0xfd];
    const sealed = cipher.encryptPacket({
      recordLayerHeader: {
        contentType: HANDSHAKE,
        protocolVersion: { major, minor },
        epoch: 1,
        sequenceNumber,
        contentLen: fragment.length,
      },
      fragment,
    }).fragment;
    const head = Buffer.from([HANDSHAKE, major, minor, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUIntBE(sequenceNumber, SEQUENCE_AT, 6);
    head.writeUInt16BE(sealed.length, LENGTH_AT);
    return Buffer.concat([head, sealed]);
  }
}

function isClear(datagram: Buffer): boolean {
  return datagram.readUInt16BE(EPOCH_AT) === 0;
}

/** Where the records of a datagram begin. */
function records(datagram: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at + RECORD_HEADER_BYTES <= datagram.length; ) {
    starts.push(at);
    at += RECORD_HEADER_BYTES + datagram.readUInt16BE(at + LENGTH_AT);
  }
  return starts;
}
