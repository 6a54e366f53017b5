import { createServer } from "node:net";
import type {
  Connection,
  MultiaddrConnection,
  Transport,
  Upgrader,
  UpgraderOptions,
} from "@libp2p/interface";
import { isPrivate } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";

/** Errors of a bind or connect when the same two ends are, or were just now, connected already. */
const TAKEN: ReadonlySet<string> = new Set(["EADDRINUSE", "EADDRNOTAVAIL"]);

/**
 * One local port that outgoing TCP connections to public addresses share. A NAT that maps by the inner end alone then shows
 * the same outer port to everybody, so that what one peer sees of us tells another where to dial: the ground of hole punching.
 */
export class SharedPort {
  readonly port: number;
  readonly #connections = new WeakSet<Connection>();
  readonly #servers = new Set<string>();

  constructor(port: number) {
    this.port = port;
  }

  /** True when the connection was made from this port. */
  carries(connection: Connection): boolean {
    return this.#connections.has(connection);
  }

  /** Dials so that this side is the server of the handshake: where both dial at once, one of them has to be. */
  async asServer<T>(peerId: string, dial: () => Promise<T>): Promise<T> {
    this.#servers.add(peerId);
    try {
      return await dial();
    } finally {
      this.#servers.delete(peerId);
    }
  }

  /** The TCP transport, dialling from this port where it can. */
  wrap(transport: Transport): Transport {
    const dial = transport.dial.bind(transport);
    transport.dial = async (address: Multiaddr, options) => {
      if (isPrivate(address)) return dial(address, options);
      // The TCP transport hands every option on to the socket.
      const isServer = this.#servers.has(idOf(address) ?? "");
      const withPort = {
        ...options,
        localPort: this.port,
        ...(isServer && { initiator: false, upgrader: inboundUpgrader(options.upgrader) }),
      };
      try {
        const connection = await dial(address, withPort);
        this.#connections.add(connection);
        return connection;
      } catch (error) {
        // A hole is punched from this port or not at all.
        if (isServer || !isTaken(error)) throw error;
        return dial(address, options);
      }
    };
    return transport;
  }
}

/** A port that nobody uses at the moment. */
export async function findSharedPort(): Promise<SharedPort> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once("error", reject);
  server.listen(0, () => {
    const address = server.address();
    resolve(typeof address === "object" && address !== null ? address.port : 0);
  });
  const port = await promise;
  await new Promise(done => server.close(done));
  return new SharedPort(port);
}

/** Upgrades what this side has dialled as if it had come in: encryption and muxer go by the direction. */
function inboundUpgrader(upgrader: Upgrader): Upgrader {
  return new Proxy(upgrader, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "upgradeOutbound") return value.bind(target);
      return (connection: MultiaddrConnection, options: UpgraderOptions) => {
        Object.assign(connection, { direction: "inbound" });
        return target.upgradeOutbound(connection, options);
      };
    },
  });
}

function idOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(component => component.name === "p2p")?.value;
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && TAKEN.has(error.code);
}
