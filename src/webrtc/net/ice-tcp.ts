import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket as TcpSocket } from "node:net";
import { FrameReader, MAX_FRAME_BYTES } from "./rfc4571.ts";

/** TCP connections of one media thread; further ones are closed at once. */
export const MAX_TCP_CONNECTIONS = 512;
/** Of these, how many may not have shown yet that they know a viewer's password. */
export const MAX_UNPROVEN_CONNECTIONS = 64;
/** And how many of one address: one machine is not to keep all others out. */
export const MAX_UNPROVEN_PER_ADDRESS = 16;
/** How long a connection has to show that, ms. */
export const PROOF_TIMEOUT_MS = 10_000;
/** Silence of a viewer's session after which its connection is closed, ms: consent is checked every few seconds. */
export const TCP_IDLE_TIMEOUT_MS = 30_000;
/** Bytes that may wait for a connection that does not take them; packets beyond are lost, as on a path that is full. */
export const MAX_TCP_QUEUE_BYTES = 256 * 1024;
/** What a new connection says waits so long, ms: where UDP works too, it is to be first. */
const HEAD_START_MS = 250;
/** Time between two looks at who is silent, ms. */
const SWEEP_MS = 1_000;

interface IceTcpInit {
  readonly host: string;
  readonly port: number;
  /** Where the datagrams of the connections go: the socket of all viewers. */
  readonly mux: AddressInfo;
  /** Default: {@link MAX_TCP_CONNECTIONS} and so on. */
  readonly limits?: Partial<IceTcpLimits>;
}

/** What connections may take. */
interface IceTcpLimits {
  readonly connections: number;
  readonly unproven: number;
  readonly unprovenPerAddress: number;
  readonly proofTimeoutMs: number;
  readonly idleMs: number;
  readonly queueBytes: number;
  readonly headStartMs: number;
}

/** Connections that came, by what became of them. */
interface IceTcpStats {
  /** Open now. */
  readonly connections: number;
  /** Over a limit, silent or without a proof. */
  readonly refused: number;
  /** Packets that a connection did not take. */
  readonly dropped: number;
}

/**
 * ICE over TCP, passive: what comes in a connection goes to the socket of all viewers as datagrams of an address of its
 * own on this machine, and what that socket sends there goes back into the connection. Checks, DTLS and media need not
 * know of it. @see https://www.rfc-editor.org/rfc/rfc6544 https://www.rfc-editor.org/rfc/rfc4571
 */
export class IceTcp {
  readonly #server: Server;
  readonly #mux: AddressInfo;
  readonly #limits: IceTcpLimits;
  readonly #open = new Set<Connection>();
  readonly #lost = { refused: 0, dropped: 0 };
  readonly #sweep: NodeJS.Timeout;

  /** Rejects with the system's error when the port cannot be had. */
  static async listen(init: IceTcpInit): Promise<IceTcp> {
    const server = createServer({ noDelay: true, keepAlive: true });
    await once(server.listen({ port: init.port, host: init.host, exclusive: true }), "listening");
    return new IceTcp(server, init);
  }

  private constructor(server: Server, { mux, limits }: IceTcpInit) {
    this.#server = server;
    this.#mux = mux;
    this.#limits = {
      connections: MAX_TCP_CONNECTIONS,
      unproven: MAX_UNPROVEN_CONNECTIONS,
      unprovenPerAddress: MAX_UNPROVEN_PER_ADDRESS,
      proofTimeoutMs: PROOF_TIMEOUT_MS,
      idleMs: TCP_IDLE_TIMEOUT_MS,
      queueBytes: MAX_TCP_QUEUE_BYTES,
      headStartMs: HEAD_START_MS,
      ...limits,
    };
    server.on("error", () => undefined);
    server.on("connection", socket => this.#take(socket));
    this.#sweep = setInterval(() => this.#look(), Math.min(SWEEP_MS, this.#limits.proofTimeoutMs));
    this.#sweep.unref();
  }

  get port(): number {
    // The server listens on a port, so its address is not a pipe's name.
    return (this.#server.address() as AddressInfo).port;
  }

  get stats(): IceTcpStats {
    return { connections: this.#open.size, ...this.#lost };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    for (const connection of this.#open) connection.close();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #take(socket: TcpSocket): void {
    const { connections, unproven, unprovenPerAddress } = this.#limits;
    const from = socket.remoteAddress;
    let waiting = 0;
    let ofAddress = 0;
    for (const { proven, remoteAddress } of this.#open) {
      if (proven) continue;
      waiting++;
      if (remoteAddress === from) ofAddress++;
    }
    if (this.#open.size >= connections || waiting >= unproven || ofAddress >= unprovenPerAddress) {
      this.#lost.refused++;
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, {
      mux: this.#mux,
      headStartMs: this.#limits.headStartMs,
      queueBytes: this.#limits.queueBytes,
      onDropped: () => this.#lost.dropped++,
      onRefused: () => this.#lost.refused++,
      onClosed: () => this.#open.delete(connection),
    });
    this.#open.add(connection);
  }

  #look(): void {
    const nowMs = performance.now();
    const { proofTimeoutMs, idleMs } = this.#limits;
    for (const connection of this.#open) {
      const limitMs = connection.proven ? idleMs : proofTimeoutMs;
      if (nowMs - connection.heardMs < limitMs) continue;
      if (!connection.proven) this.#lost.refused++;
      connection.close();
    }
  }
}

interface ConnectionInit {
  readonly mux: AddressInfo;
  readonly headStartMs: number;
  readonly queueBytes: number;
  readonly onDropped: () => void;
  readonly onRefused: () => void;
  readonly onClosed: () => void;
}

/** One connection and the address that stands for it. */
class Connection {
  /** The session answered: it does so only to who knows its password. */
  proven = false;
  readonly remoteAddress: string | undefined;
  /** When the session last said something; before it has, when the connection came. */
  heardMs = performance.now();
  readonly #tcp: TcpSocket;
  readonly #init: ConnectionInit;
  readonly #reader = new FrameReader();
  readonly #timer: NodeJS.Timeout;
  #udp: UdpSocket | undefined;
  #closed = false;

  constructor(tcp: TcpSocket, init: ConnectionInit) {
    this.#tcp = tcp;
    this.#init = init;
    this.remoteAddress = tcp.remoteAddress;
    tcp.on("error", () => this.close());
    tcp.on("close", () => this.close());
    // Nothing is read until there is somewhere for it to go: most viewers have found UDP by then, and are gone here.
    tcp.pause();
    this.#timer = setTimeout(() => this.#begin(), init.headStartMs);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#tcp.destroy();
    this.#udp?.close();
    this.#init.onClosed();
  }

  #begin(): void {
    const { mux } = this.#init;
    const isV6 = mux.family === "IPv6";
    const isAny = mux.address === (isV6 ? "::" : "0.0.0.0");
    const host = isAny ? (isV6 ? "::1" : "127.0.0.1") : mux.address;
    const udp = createSocket(isV6 ? "udp6" : "udp4");
    this.#udp = udp;
    udp.on("error", () => this.close());
    udp.on("message", datagram => this.#send(datagram));
    udp.bind(0, host, () => {
      if (!this.#closed) udp.connect(mux.port, host, () => this.#read(udp));
    });
  }

  #read(udp: UdpSocket): void {
    if (this.#closed) return;
    this.#tcp.on("data", (chunk: Buffer) => {
      const frames = this.#reader.push(chunk);
      if (frames === undefined) {
        this.#init.onRefused();
        return this.close();
      }
      for (const frame of frames) if (!this.#closed) udp.send(frame, ignoreError);
    });
    this.#tcp.resume();
  }

  #send(datagram: Buffer): void {
    this.proven = true;
    this.heardMs = performance.now();
    if (
      datagram.length > MAX_FRAME_BYTES ||
      this.#tcp.writableLength + datagram.length > this.#init.queueBytes
    ) {
      return this.#init.onDropped();
    }
    const frame = Buffer.allocUnsafe(2 + datagram.length);
    frame.writeUInt16BE(datagram.length);
    datagram.copy(frame, 2);
    this.#tcp.write(frame);
  }
}

function ignoreError(): void {
  // As on any path: what is lost is asked for again.
}
