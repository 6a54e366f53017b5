import { CLOSE_CODES } from "@cidcast/protocols/notifications";
import { MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS } from "../limits.ts";
import type { SocketInit } from "../types.ts";

export interface PlacesInit {
  readonly maxConnections?: number;
  readonly maxConnectionsPerAddress?: number;
}

/** Counts connections, all and by address. */
export interface Places {
  readonly open: number;
  /** Takes a place for this connection; undefined when there is none, and then the carrier is closed. Returns what gives it back. */
  take(socket: SocketInit): (() => void) | undefined;
}

export function createPlaces(init: PlacesInit = {}): Places {
  const { maxConnections = MAX_CONNECTIONS, maxConnectionsPerAddress = MAX_CONNECTIONS_PER_ADDRESS } = init;
  const byAddress = new Map<string, number>();
  let open = 0;
  return {
    get open() {
      return open;
    },
    take(socket) {
      const address = socket.remoteAddress ?? "";
      const here = byAddress.get(address) ?? 0;
      if (open >= maxConnections || (address !== "" && here >= maxConnectionsPerAddress)) {
        socket.close(
          CLOSE_CODES.TOO_MANY_CONNECTIONS,
          open >= maxConnections ? "too many connections" : "too many connections from this address",
        );
        return undefined;
      }
      open += 1;
      byAddress.set(address, here + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        open -= 1;
        const left = (byAddress.get(address) ?? 1) - 1;
        if (left === 0) byAddress.delete(address);
        else byAddress.set(address, left);
      };
    },
  };
}
