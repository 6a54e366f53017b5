import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { CidcastError, messageOf } from "../../core/index.ts";
import { MuxPort } from "./mux-port.ts";
import { stunIntegrityHolds, stunKind, stunLocalUfrag, stunTransaction } from "./stun.ts";

/** Socket buffers, bytes: a keyframe to each of some hundred viewers within one tick. The system may grant less. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** Our STUN requests that may wait for a response at a time; the oldest are forgotten. */
export const MAX_PENDING_TRANSACTIONS = 4096;
/** Credentials of one viewer that are good at a time: the present ones, and those that an ICE restart replaces. */
const MAX_CREDENTIALS = 2;

export interface UdpMuxInit {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Take any free port when that one is in use. */
  readonly portFallback?: boolean;
}

/** Datagrams that came, by what became of them. */
export interface MuxStats {
  received: number;
  /** From an address, or for a ufrag, that nobody here has. */
  unknown: number;
  /** STUN that is malformed or whose integrity does not hold. */
  refused: number;
}

/**
 * One UDP socket for all viewers. STUN requests are routed by the ufrag in USERNAME once their MESSAGE-INTEGRITY holds,
 * STUN responses by transaction, everything else by an address learnt from such a request or response.
 */
export class UdpMux {
  readonly stats: MuxStats = { received: 0, unknown: 0, refused: 0 };
  readonly #socket: Socket;
  readonly #byUfrag = new Map<string, { readonly port: MuxPort; readonly password: string }>();
  readonly #byAddress = new Map<string, MuxPort>();
  readonly #byTransaction = new Map<string, MuxPort>();
  #open = 0;
  #closed = false;

  /** Binds the socket. `ADDRESS_IN_USE` when another program has the port and no fallback is wanted. */
  static async listen(init: UdpMuxInit): Promise<UdpMux> {
    try {
      return new UdpMux(await bind(init.host, init.port));
    } catch (error) {
      if (!isInUse(error)) {
        const what = `UDP ${init.host}:${init.port} cannot be bound: ${messageOf(error)}`;
        throw new CidcastError("FEATURE_DISABLED", what, { cause: error });
      }
      if (init.portFallback === true) return new UdpMux(await bind(init.host, 0));
      const hint = "stop it, or set webrtc.udpPort (0: any free one)";
      throw new CidcastError("ADDRESS_IN_USE", `another program uses UDP port ${init.port}: ${hint}`, {
        cause: error,
      });
    }
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (datagram, from) => this.#receive(datagram, from));
    // An ICMP error of one viewer's address must not end the socket of all.
    socket.on("error", () => undefined);
  }

  get socket(): Socket {
    return this.#socket;
  }

  get address(): AddressInfo {
    return this.#socket.address();
  }

  /** Ports open at the moment. */
  get size(): number {
    return this.#open;
  }

  /** A viewer's share of the socket, reached under `ufrag` by whoever knows `password`. */
  open(ufrag: string, password: string): MuxPort {
    if (this.#byUfrag.has(ufrag)) throw new CidcastError("INTERNAL", "an ICE ufrag was drawn twice");
    const port = new MuxPort({
      ufrag,
      password,
      send: (datagram, host, to) => this.send(datagram, host, to),
      expect: transaction => this.#expect(transaction, port),
      learn: address => this.#byAddress.set(address, port),
      alias: (name, secret) => this.#alias(port, name, secret),
      forget: () => this.#forget(port),
    });
    this.#byUfrag.set(ufrag, { port, password });
    this.#open++;
    return port;
  }

  send(datagram: Buffer, host: string, port: number): void {
    if (this.#closed) return;
    this.#socket.send(datagram, port, host, ignoreError);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.close(() => resolve());
    await promise;
  }

  #expect(transaction: string, port: MuxPort): void {
    if (this.#byTransaction.size >= MAX_PENDING_TRANSACTIONS) {
      for (const oldest of this.#byTransaction.keys()) {
        this.#byTransaction.delete(oldest);
        break;
      }
    }
    this.#byTransaction.set(transaction, port);
  }

  #alias(port: MuxPort, ufrag: string, password: string): void {
    this.#byUfrag.set(ufrag, { port, password });
    while (port.ufrags.length > MAX_CREDENTIALS) this.#byUfrag.delete(port.ufrags.shift() ?? "");
  }

  #forget(port: MuxPort): void {
    this.#open--;
    for (const ufrag of port.ufrags) this.#byUfrag.delete(ufrag);
    for (const address of port.addresses) {
      if (this.#byAddress.get(address) === port) this.#byAddress.delete(address);
    }
    for (const [transaction, owner] of this.#byTransaction) {
      if (owner === port) this.#byTransaction.delete(transaction);
    }
  }

  #receive(datagram: Buffer, from: RemoteInfo): void {
    this.stats.received++;
    const first = datagram[0] ?? 0xff;
    if (first > 3) {
      const port = this.#byAddress.get(`${from.address}:${from.port}`);
      if (port === undefined) this.stats.unknown++;
      else port.receive(datagram, from.address, from.port);
      return;
    }
    const kind = stunKind(datagram);
    if (kind === "request") this.#receiveRequest(datagram, from);
    else if (kind === "response") this.#receiveResponse(datagram, from);
    else this.stats.refused++;
  }

  #receiveRequest(datagram: Buffer, from: RemoteInfo): void {
    const found = this.#byUfrag.get(stunLocalUfrag(datagram) ?? "");
    if (found === undefined) {
      this.stats.unknown++;
    } else if (stunIntegrityHolds(datagram, found.password)) {
      const { port } = found;
      port.learn(from.address, from.port);
      port.receive(datagram, from.address, from.port);
    } else {
      this.stats.refused++;
    }
  }

  #receiveResponse(datagram: Buffer, from: RemoteInfo): void {
    const transaction = stunTransaction(datagram);
    const port = this.#byTransaction.get(transaction);
    if (port === undefined) {
      this.stats.unknown++;
      return;
    }
    this.#byTransaction.delete(transaction);
    port.receive(datagram, from.address, from.port);
  }
}

function ignoreError(): void {
  // UDP promises nothing: what did not leave is lost, and asked for again.
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

async function bind(host: string, port: number): Promise<Socket> {
  const socket = createSocket({
    type: host.includes(":") ? "udp6" : "udp4",
    // Addresses here are always numbers: answering at once keeps each packet in its own tick.
    lookup: (address, _options, done) => done(null, address, host.includes(":") ? 6 : 4),
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind(port, host, resolve);
  try {
    await promise;
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.off("error", reject);
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  } catch {
    // The system's maximum stays: fewer viewers per tick, nothing else.
  }
  return socket;
}
