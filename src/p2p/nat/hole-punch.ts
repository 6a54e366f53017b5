import type { Connection, Libp2pEvents, PeerId, Stream, TypedEventTarget } from "@libp2p/interface";
import type { ConnectionManager, Registrar } from "@libp2p/interface-internal";
import { isPrivate } from "@libp2p/utils";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { Circuit, TCP } from "@multiformats/multiaddr-matcher";
import { type Clock, type Logger, messageOf, withTimeout } from "../../core/index.ts";
import { MAX_PUNCH_ADDRESSES, MAX_PUNCHES, PUNCH_ATTEMPTS, PUNCH_TIMEOUT_MS } from "../limits.ts";
import type { PeerMetrics } from "../metrics.ts";
import { delay } from "../net/delay.ts";
import { DcutrStream } from "./dcutr-stream.ts";

/** @see https://github.com/libp2p/specs/blob/master/relay/DCUtR.md */
export const DCUTR_PROTOCOL = "/libp2p/dcutr";

/** What libp2p hands to a service, as far as it is used here. */
export interface HolePunchComponents {
  readonly registrar: Registrar;
  readonly connectionManager: ConnectionManager;
  readonly events: TypedEventTarget<Libp2pEvents>;
}

export interface HolePunchInit {
  /** Where a peer can dial us while we dial it: what others see of us, and addresses that anybody reaches. */
  readonly candidates: () => readonly Multiaddr[];
  /** Dials with this side as the server of the handshake. */
  readonly asServer: (peerId: string, dial: () => Promise<unknown>) => Promise<unknown>;
  /** Lets a peer be dialled. */
  readonly allowDial: (peerId: string) => void;
  readonly clock: Clock;
  readonly metrics: PeerMetrics;
  readonly log: Logger;
}

/** How hole punches ended: with a direct connection, or still by the relay. */
export interface PunchResults {
  readonly direct: number;
  readonly relayed: number;
}

/**
 * Turns connections through a relay into direct ones: both sides dial at the same moment from the port that the relay sees,
 * so that each NAT takes the other's packet for an answer (TCP simultaneous open). Speaks DCUtR with libp2p of any make.
 */
export class HolePunch {
  readonly #init: HolePunchInit;
  readonly #components: HolePunchComponents;
  readonly #stop = new AbortController();
  readonly #running = new Set<string>();
  readonly #ended = { direct: 0, relayed: 0 };
  #topology: string | undefined;

  constructor(init: HolePunchInit, components: HolePunchComponents) {
    this.#init = init;
    this.#components = components;
  }

  /** Those that were begun here, since the start. */
  get ended(): PunchResults {
    return { ...this.#ended };
  }

  async start(): Promise<void> {
    const { registrar } = this.#components;
    await registrar.handle(DCUTR_PROTOCOL, (stream, connection) => this.#answer(stream, connection), {
      maxInboundStreams: 1,
      maxOutboundStreams: 1,
      runOnLimitedConnection: true,
    });
    this.#topology = await registrar.register(DCUTR_PROTOCOL, {
      notifyOnLimitedConnection: true,
      onConnect: (peerId, connection) => {
        // Who was dialled begins.
        if (connection.direction !== "inbound" || !Circuit.exactMatch(connection.remoteAddr)) return;
        void this.#punch(peerId, connection);
      },
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error("the peer is stopping"));
    const { registrar } = this.#components;
    if (this.#topology !== undefined) registrar.unregister(this.#topology);
    await registrar.unhandle(DCUTR_PROTOCOL);
  }

  /** Tries until a direct connection is there, or it is plain that there will be none. Never rejects. */
  async #punch(peerId: PeerId, relayed: Connection): Promise<void> {
    const { metrics, log, clock } = this.#init;
    const peer = peerId.toString();
    if (this.#running.has(peer) || this.#running.size >= MAX_PUNCHES) return;
    this.#running.add(peer);
    try {
      for (let attempt = 1; attempt <= PUNCH_ATTEMPTS; attempt++) {
        if (this.#stop.signal.aborted || this.#isDirect(peerId) || relayed.status !== "open") break;
        try {
          await withTimeout(
            PUNCH_TIMEOUT_MS,
            `Hole punching to ${peer}`,
            signal => this.#attempt(peerId, relayed, signal),
            { signal: this.#stop.signal },
          );
          break;
        } catch (error) {
          log.debug({ peer, attempt, reason: messageOf(error) }, "hole punch failed");
          await delay(clock, 200 * attempt, this.#stop.signal);
        }
      }
      const result = this.#isDirect(peerId) ? "direct" : "relayed";
      this.#ended[result]++;
      metrics.holePunches.add(1, { result });
      log.info({ peer, result }, "hole punch ended");
    } finally {
      this.#running.delete(peer);
    }
  }

  async #attempt(peerId: PeerId, relayed: Connection, signal: AbortSignal): Promise<void> {
    const { clock } = this.#init;
    const stream = new DcutrStream(
      await relayed.newStream(DCUTR_PROTOCOL, { signal, runOnLimitedConnection: true }),
    );
    try {
      const startedMs = clock.monotonicMs();
      stream.send({ type: "connect", addresses: this.#candidates() });
      const reply = await stream.read(signal);
      const roundTripMs = clock.monotonicMs() - startedMs;
      if (reply.type !== "connect") throw new Error("the peer answered with another message");
      const addresses = dialable(reply.addresses, peerId);
      stream.send({ type: "sync", addresses: [] });
      // The peer dials when it has this; it is half a round trip away.
      await delay(clock, roundTripMs / 2, signal);
      await this.#dial(peerId, addresses, { signal, initiator: false });
    } finally {
      await stream.close();
    }
  }

  async #answer(raw: Stream, relayed: Connection): Promise<void> {
    const { log } = this.#init;
    const peerId = relayed.remotePeer;
    const stream = new DcutrStream(raw);
    try {
      await withTimeout(
        PUNCH_TIMEOUT_MS,
        `Answering a hole punch of ${peerId.toString()}`,
        async signal => {
          const ask = await stream.read(signal);
          if (ask.type !== "connect") throw new Error("the peer began with another message");
          const addresses = dialable(ask.addresses, peerId);
          stream.send({ type: "connect", addresses: this.#candidates() });
          const sync = await stream.read(signal);
          if (sync.type !== "sync") throw new Error("the peer did not say when");
          await this.#dial(peerId, addresses, { signal, initiator: true });
        },
        { signal: this.#stop.signal },
      );
    } catch (error) {
      log.debug({ peer: peerId.toString(), reason: messageOf(error) }, "hole punch failed");
    } finally {
      await stream.close();
    }
  }

  /** Both dial; the one that was dialled through the relay acts as the server of the handshake. */
  async #dial(
    peerId: PeerId,
    addresses: readonly Multiaddr[],
    options: { readonly signal: AbortSignal; readonly initiator: boolean },
  ): Promise<void> {
    if (addresses.length === 0) throw new Error("the peer names no address that could be dialled");
    if (this.#isDirect(peerId)) return;
    const { allowDial, asServer } = this.#init;
    const { signal, initiator } = options;
    allowDial(peerId.toString());
    const dial = (): Promise<unknown> =>
      this.#components.connectionManager.openConnection([...addresses], { signal, force: true });
    await (initiator ? dial() : asServer(peerId.toString(), dial));
  }

  #candidates(): Uint8Array[] {
    return this.#init
      .candidates()
      .slice(0, MAX_PUNCH_ADDRESSES)
      .map(address => address.bytes);
  }

  #isDirect(peerId: PeerId): boolean {
    return this.#components.connectionManager
      .getConnections(peerId)
      .some(connection => connection.status === "open" && !Circuit.matches(connection.remoteAddr));
  }
}

/** Public TCP addresses among those that a peer names: nothing else is dialled at its word. */
function dialable(named: readonly Uint8Array[], peerId: PeerId): Multiaddr[] {
  const found: Multiaddr[] = [];
  for (const bytes of named.slice(0, MAX_PUNCH_ADDRESSES)) {
    try {
      const address = multiaddr(bytes);
      if (!TCP.matches(address) || Circuit.matches(address) || isPrivate(address)) continue;
      const { value } = address.getComponents().findLast(component => component.name === "p2p") ?? {};
      if (value !== undefined && value !== peerId.toString()) continue;
      found.push(value === undefined ? address.encapsulate(`/p2p/${peerId.toString()}`) : address);
    } catch {
      // Not an address: the others may be.
    }
  }
  return found;
}
