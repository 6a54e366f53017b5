import type { Clock, Logger, Metrics } from "../../core/index.ts";
import {
  createBudget,
  createPlaces,
  type Places,
  type SocketConnection,
  type SocketHandler,
  type SocketInit,
} from "../../notify/index.ts";
import {
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_PER_ADDRESS,
  MAX_MESSAGE_CHARS,
  MAX_REFUSED,
  MESSAGE_BURST,
  MESSAGES_PER_SECOND,
} from "../limits.ts";
import { roomMetrics } from "../metrics.ts";
import type { Link, Rooms } from "../types.ts";

export interface DoorInit {
  readonly maxConnections?: number;
  readonly maxConnectionsPerAddress?: number;
}

export interface DoorComponents {
  readonly rooms: Rooms;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** One client of a protocol of the rooms. */
export interface DoorClient {
  receive(text: string): void;
  /** Told in the words of the protocol: this frame was not taken. */
  refused(message: string): void;
  /** The connection is gone. */
  gone(): void;
}

/** What a client has of its connection. */
export interface DoorLink extends Link {
  readonly socket: SocketInit;
  /** Sends an object as JSON. */
  json(value: Readonly<Record<string, unknown>>): void;
  /** Now, as the protocols of the rooms write it. */
  timestamp(): string;
}

/** The space a door's client finds its rooms in: those of one tenant have nothing to do with those of another. */
export function spaceOf(door: string, link: DoorLink): string {
  const { tenantId } = link.socket.principal;
  return tenantId === undefined ? door : `${door}@${tenantId}`;
}

/** Close code of a client that sends too much. */
const TOO_MANY_MESSAGES = 4029;

/** Holds clients of all doors to the same limits. */
export type OpenDoor = (name: string, greet: (link: DoorLink) => DoorClient | undefined) => SocketHandler;

/** Makes the doors of one set of rooms; connections count together. */
export function createDoors(init: DoorInit, components: DoorComponents): OpenDoor {
  const { clock, log } = components;
  const metrics = roomMetrics(components.metrics);
  const places: Places = createPlaces({
    maxConnections: init.maxConnections ?? MAX_CONNECTIONS,
    maxConnectionsPerAddress: init.maxConnectionsPerAddress ?? MAX_CONNECTIONS_PER_ADDRESS,
  });
  return (name, greet) => ({
    connect(socket): SocketConnection {
      const release = places.take(socket);
      if (release === undefined) {
        metrics.refused.add(1, { reason: "connections" });
        return { receive() {}, close() {} };
      }
      metrics.connections.set(places.open);
      let open = true;
      let client: DoorClient | undefined;
      let refused = 0;
      const budget = createBudget({ burst: MESSAGE_BURST, perSecond: MESSAGES_PER_SECOND }, clock);
      const close = (): void => {
        if (!open) return;
        open = false;
        release();
        metrics.connections.set(places.open);
        client?.gone();
      };
      const end = (code: number, reason: string): void => {
        close();
        socket.close(code, reason);
      };
      const link: DoorLink = {
        socket,
        send: text => socket.send(text),
        ...(socket.sendFrames === undefined
          ? {}
          : { sendFrames: frames => socket.sendFrames?.(frames) ?? false }),
        bufferedBytes: () => socket.bufferedBytes(),
        end,
        json: value => void socket.send(JSON.stringify(value)),
        timestamp: () => new Date(clock.now()).toISOString(),
      };
      // Undefined: the client was told why and is closed.
      client = greet(link);
      if (client === undefined) close();
      return {
        receive(text) {
          if (!open || client === undefined) return;
          metrics.messages.add(1, { door: name });
          if (!budget.take() || text.length > MAX_MESSAGE_CHARS) {
            refused += 1;
            const long = text.length > MAX_MESSAGE_CHARS;
            metrics.refused.add(1, { reason: long ? "size" : "messages" });
            if (refused >= MAX_REFUSED) end(TOO_MANY_MESSAGES, "too many messages");
            else if (long) client.refused(`A message has at most ${MAX_MESSAGE_CHARS} characters`);
            else client.refused(`Too many messages: at most ${MESSAGES_PER_SECOND} a second`);
            return;
          }
          try {
            client.receive(text);
          } catch (err) {
            log.error({ err, door: name }, "a message of a room failed");
            client.refused("Internal error: the message could not be handled");
          }
        },
        close,
      };
    },
  });
}

/** A frame as an object. `undefined`: it is not JSON. `{}`: it is JSON and no object. */
export function parseFrame(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // An object that came out of JSON has text keys.
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return undefined;
  }
}
