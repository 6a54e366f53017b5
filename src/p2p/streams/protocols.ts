import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { CidcastError, type Logger } from "../../core/index.ts";
import { MAX_STREAMS_PER_PROTOCOL } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import { type PeerStream, peerStream } from "./stream.ts";

/** Answers one inbound stream. When it throws, the stream is aborted. */
export type ProtocolHandler = (stream: PeerStream) => Promise<void> | void;

export interface ProtocolHandlerOptions {
  /** Streams of this protocol that a peer may hold open at once; default {@link MAX_STREAMS_PER_PROTOCOL}. */
  readonly maxInboundStreams?: number;
  /** Also answer over relayed connections with a limit on bytes and time. */
  readonly runOnLimitedConnection?: boolean;
}

interface Registration {
  readonly handler: ProtocolHandler;
  readonly options: ProtocolHandlerOptions;
}

/** The handlers of this node's own protocols. They outlive a stop and a start. */
export class ProtocolRegistry {
  readonly #registered = new Map<string, Registration>();
  readonly #log: Logger;
  readonly #metrics: PeerMetrics;
  #libp2p: Libp2p | undefined;

  constructor(log: Logger, metrics: PeerMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Adds a handler; returns what takes it away. `CONFLICT` when the protocol has one. */
  async register(
    protocol: string,
    handler: ProtocolHandler,
    options: ProtocolHandlerOptions = {},
  ): Promise<() => Promise<void>> {
    if (this.#registered.has(protocol)) {
      throw new CidcastError("CONFLICT", `${protocol} has a handler already`);
    }
    const registration = { handler, options };
    this.#registered.set(protocol, registration);
    if (this.#libp2p !== undefined) await this.#handle(this.#libp2p, protocol, registration);
    return async () => {
      if (this.#registered.get(protocol) !== registration) return;
      this.#registered.delete(protocol);
      await this.#libp2p?.unhandle(protocol);
    };
  }

  /** Puts the handlers on a libp2p node that is about to start. */
  async attach(libp2p: Libp2p): Promise<void> {
    this.#libp2p = libp2p;
    for (const [protocol, registration] of this.#registered) {
      await this.#handle(libp2p, protocol, registration);
    }
  }

  /** Forgets the node, which is stopping. */
  detach(): void {
    this.#libp2p = undefined;
  }

  async #handle(libp2p: Libp2p, protocol: string, registration: Registration): Promise<void> {
    const { maxInboundStreams = MAX_STREAMS_PER_PROTOCOL, runOnLimitedConnection = false } =
      registration.options;
    await libp2p.handle(
      protocol,
      (stream, connection) => this.#answer(stream, connection, registration.handler),
      { maxInboundStreams, runOnLimitedConnection },
    );
  }

  async #answer(stream: Stream, connection: Connection, handler: ProtocolHandler): Promise<void> {
    const peerId = connection.remotePeer.toString();
    try {
      await handler(peerStream(stream, peerId));
    } catch (error) {
      this.#metrics.streamErrors.add();
      this.#log.debug({ err: error, peer: peerId, protocol: stream.protocol }, "protocol handler failed");
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
