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
  readonly alias: (ufrag: string, password: string) => void;
  readonly forget: () => void;
}

/** A viewer's share of the mux: what comes from it, sorted by protocol. @see https://www.rfc-editor.org/rfc/rfc7983#section-7 */
export class MuxPort {
  /** Under which the viewer asks for it: the first, and those of ICE restarts. */
  readonly ufrags: string[] = [];
  readonly addresses = new Set<string>();
  closed = false;
  /** STUN, for ICE. */
  onStun: ((datagram: Buffer, host: string, port: number) => void) | undefined;
  /** SRTP and SRTCP. */
  onMedia: ((datagram: Buffer, host: string, port: number) => void) | undefined;
  readonly #init: MuxPortInit;
  #onDtls: ((datagram: Buffer) => void) | undefined;
  #early: Buffer[] = [];
  #watched: { readonly host: string; readonly port: number; heardMs: number } | undefined;

  constructor(init: MuxPortInit) {
    this.#init = init;
    this.ufrags.push(init.ufrag);
  }

  /** Is reached under these credentials as well; of older ones only the last stay good. */
  addCredentials(ufrag: string, password: string): void {
    if (this.closed) return;
    this.ufrags.push(ufrag);
    this.#init.alias(ufrag, password);
  }

  /** Watches whether that address still speaks. */
  watch(host: string, port: number): void {
    this.#watched = { host, port, heardMs: performance.now() };
  }

  /** How long the watched address has been silent, ms. */
  get silentMs(): number {
    return this.#watched === undefined ? 0 : performance.now() - this.#watched.heardMs;
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
    const watched = this.#watched;
    if (watched !== undefined && watched.port === port && watched.host === host) {
      watched.heardMs = performance.now();
    }
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
