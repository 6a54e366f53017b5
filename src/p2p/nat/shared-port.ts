import { createServer } from "node:net";
import type { Connection, Transport } from "@libp2p/interface";
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

  constructor(port: number) {
    this.port = port;
  }

  /** True when the connection was made from this port. */
  carries(connection: Connection): boolean {
    return this.#connections.has(connection);
  }

  /** The TCP transport, dialling from this port where it can. */
  wrap(transport: Transport): Transport {
    const dial = transport.dial.bind(transport);
    transport.dial = async (address: Multiaddr, options) => {
      if (isPrivate(address)) return dial(address, options);
      // The TCP transport hands every option on to the socket.
      const withPort = { ...options, localPort: this.port };
      try {
        const connection = await dial(address, withPort);
        this.#connections.add(connection);
        return connection;
      } catch (error) {
        if (!isTaken(error)) throw error;
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

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && TAKEN.has(error.code);
}
