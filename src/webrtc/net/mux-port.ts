import { stunTransaction } from "./stun.ts";

const STUN_MAX = 3;
const DTLS_MIN = 20;
const DTLS_MAX = 63;
const MEDIA_MIN = 128;
const MEDIA_MAX = 191;
const BINDING_REQUEST = 1;
/**
 * DTLS datagrams kept until the handshake is ready for them. A browser's first flight is two datagrams, and it may come
 * before our side of ICE has finished.
 */
export const MAX_EARLY_DTLS = 16;
/** Addresses one viewer may be reached under: candidates of a few interfaces. More are not learnt. */
export const MAX_ADDRESSES = 32;

export interface MuxPortInit {
  readonly ufrag: string;
  readonly password: string;
  readonly send: (datagram: Buffer, host: string, port: number) => void;
  readonly expect: (transaction: string) => void;
  readonly learn: (address: string) => void;
  readonly forget: () => void;
}

/** A viewer's share of the mux: what comes from it, sorted by protocol. @see https://www.rfc-editor.org/rfc/rfc7983#section-7 */
export class MuxPort {
  readonly ufrag: string;
  readonly password: string;
  readonly addresses = new Set<string>();
  closed = false;
  /** STUN, for ICE. */
  onStun: ((datagram: Buffer, host: string, port: number) => void) | undefined;
  /** SRTP and SRTCP. */
  onMedia: ((datagram: Buffer, host: string, port: number) => void) | undefined;
  readonly #init: MuxPortInit;
  #onDtls: ((datagram: Buffer) => void) | undefined;
  #early: Buffer[] = [];

  constructor(init: MuxPortInit) {
    this.#init = init;
    this.ufrag = init.ufrag;
    this.password = init.password;
  }

  /** Takes DTLS from now on; what came earlier is handed over first. */
  takeDtls(onDtls: (datagram: Buffer) => void): void {
    this.#onDtls = onDtls;
    const early = this.#early;
    this.#early = [];
    for (const datagram of early) onDtls(datagram);
  }

  send(datagram: Buffer, host: string, port: number): void {
    if (this.closed) return;
    if (datagram.length >= 20 && datagram.readUInt16BE(0) === BINDING_REQUEST) {
      this.#init.expect(stunTransaction(datagram));
    }
    this.#init.send(datagram, host, port);
  }

  /** An address from which the viewer has shown that it knows the password. */
  learn(host: string, port: number): void {
    const address = `${host}:${port}`;
    if (this.closed || (!this.addresses.has(address) && this.addresses.size >= MAX_ADDRESSES)) return;
    this.addresses.add(address);
    this.#init.learn(address);
  }

  receive(datagram: Buffer, host: string, port: number): void {
    if (this.closed) return;
    const first = datagram[0] ?? 0xff;
    if (first <= STUN_MAX) this.onStun?.(datagram, host, port);
    else if (first >= MEDIA_MIN && first <= MEDIA_MAX) this.onMedia?.(datagram, host, port);
    else if (first >= DTLS_MIN && first <= DTLS_MAX) {
      if (this.#onDtls !== undefined) this.#onDtls(datagram);
      else if (this.#early.length < MAX_EARLY_DTLS) this.#early.push(datagram);
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#early = [];
    this.#init.forget();
  }
}
