import { X509Certificate } from "node:crypto";
import { connect, TLSSocket } from "node:tls";
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection as SecuredResult,
  StreamMuxerFactory,
} from "@libp2p/interface";
import { type TLSComponents, tls } from "@libp2p/tls";
import { SecuredConnection } from "./secured-connection.ts";
import { isTcpConnection, type TcpConnection, takeSocket } from "./tcp-connection.ts";
import type { TlsParts } from "./tls-parts.ts";

/** How long a certificate is used, milliseconds: making one costs a key and two signatures. */
const CERTIFICATE_MS = 60 * 60 * 1000;

/** AES first: its instructions make it the fastest where bulk goes. */
const CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/** ALPN name of a side that does not agree on a muxer within the handshake. */
const NO_EARLY_MUXER = "libp2p";

/**
 * `/tls/1.0.0` with the real socket handed to `node:tls`, about twice as fast as through a stream in JavaScript. What is no
 * plain TCP connection (WebSocket, relay) goes through the stock encrypter.
 */
export function fastTls(parts: TlsParts): (components: TLSComponents) => ConnectionEncrypter {
  return components => new FastTls(components, parts);
}

class FastTls implements ConnectionEncrypter {
  readonly protocol = "/tls/1.0.0";
  readonly #components: TLSComponents;
  readonly #parts: TlsParts;
  readonly #stock: ConnectionEncrypter;
  #certificate:
    | { readonly made: number; readonly value: ReturnType<TlsParts["generateCertificate"]> }
    | undefined;

  constructor(components: TLSComponents, parts: TlsParts) {
    this.#components = components;
    this.#parts = parts;
    this.#stock = tls()(components);
    // Making and reading a certificate runs a lot of code for the first time: not while somebody waits for a connection.
    this.#warmUp().catch(() => undefined);
  }

  async #warmUp(): Promise<void> {
    const { cert } = await this.#ownCertificate();
    await this.#parts.verifyPeerCertificate(new X509Certificate(cert).raw);
  }

  async secureInbound(
    connection: MessageStream,
    options: SecureConnectionOptions = {},
  ): Promise<SecuredResult> {
    if (!isTcpConnection(connection)) return this.#stock.secureInbound(connection, options);
    return this.#secure(connection, true, options);
  }

  async secureOutbound(
    connection: MessageStream,
    options: SecureConnectionOptions = {},
  ): Promise<SecuredResult> {
    if (!isTcpConnection(connection)) return this.#stock.secureOutbound(connection, options);
    return this.#secure(connection, false, options);
  }

  async #secure(
    connection: TcpConnection,
    isServer: boolean,
    options: SecureConnectionOptions,
  ): Promise<SecuredResult> {
    const muxers =
      options.skipStreamMuxerNegotiation === true
        ? new Map<string, StreamMuxerFactory>()
        : this.#components.upgrader.getStreamMuxers();
    const certificate = await this.#ownCertificate();
    options.signal?.throwIfAborted();
    const context = {
      ...certificate,
      minVersion: "TLSv1.3",
      maxVersion: "TLSv1.3",
      ciphers: CIPHERS,
      // Certificates are self-signed; what they prove is checked after the handshake.
      rejectUnauthorized: false,
    } as const;
    let secured: TLSSocket | undefined;
    const raw = takeSocket(connection, () => secured ?? raw);
    secured = isServer
      ? new TLSSocket(raw, {
          ...context,
          isServer: true,
          requestCert: true,
          ALPNCallback: ({ protocols }) =>
            protocols.find(name => muxers.has(name) || name === NO_EARLY_MUXER),
        })
      : connect({ ...context, socket: raw, ALPNProtocols: [...muxers.keys(), NO_EARLY_MUXER] });
    // Whoever waits hears of it otherwise; without any listener an error would end the process.
    secured.on("error", () => undefined);
    try {
      await handshake(secured, options.signal);
      const { raw: peerCertificate } = secured.getPeerCertificate();
      if (peerCertificate === undefined) throw new Error("the peer sent no certificate");
      const remotePeer = await this.#parts.verifyPeerCertificate(peerCertificate, options.remotePeer);
      const streamMuxer = muxers.get(secured.alpnProtocol || NO_EARLY_MUXER);
      const result = { remotePeer, connection: new SecuredConnection(connection, secured) };
      return streamMuxer === undefined ? result : { ...result, streamMuxer };
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      secured.destroy();
      connection.abort(reason);
      throw reason;
    }
  }

  #ownCertificate(): ReturnType<TlsParts["generateCertificate"]> {
    const now = performance.now();
    if (this.#certificate === undefined || now - this.#certificate.made > CERTIFICATE_MS) {
      const value = this.#parts.generateCertificate(this.#components.privateKey);
      this.#certificate = { made: now, value };
      value.catch(() => {
        this.#certificate = undefined;
      });
    }
    return this.#certificate.value;
  }
}

/** Resolves when the handshake is done; rejects when the socket fails or closes before, or the signal aborts. */
async function handshake(socket: TLSSocket, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onClose = (): void => reject(new Error("the connection was closed during the TLS handshake"));
  const onAbort = (): void => reject(signal?.reason);
  socket.once("secure", resolve);
  socket.once("error", reject);
  socket.once("close", onClose);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    socket.removeListener("secure", resolve);
    socket.removeListener("error", reject);
    socket.removeListener("close", onClose);
    signal?.removeEventListener("abort", onAbort);
  }
}
