import type { Clock, Logger, Metrics, Service } from "../core/index.ts";
import type { SocketRoute } from "../notify/index.ts";
import { createDoors, type DoorInit } from "./core/door.ts";
import { createRooms, type RoomsInit } from "./core/index.ts";
import { chatDoor, type JsonRpcDoor } from "./doors/chat.ts";
import { relayDoor } from "./doors/relay.ts";
import { createSessionStore } from "./doors/session-store.ts";
import { sessionsDoor } from "./doors/sessions.ts";
import { targetedDoor } from "./doors/targeted.ts";
import { roomMetrics } from "./metrics.ts";
import type { Rooms, RoomsBackplane } from "./types.ts";

export interface RoomsServiceInit extends RoomsInit, DoorInit {}

export interface RoomsServiceComponents {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly backplane?: RoomsBackplane | undefined;
  /** Where MCP is served over `/ws/mcp/`. */
  readonly jsonRpc?: JsonRpcDoor | undefined;
}

/** The rooms of a node and the addresses where they are found. */
export interface RoomsService extends Service {
  readonly rooms: Rooms;
  readonly routes: readonly SocketRoute[];
}

/** Opens the rooms and their doors. */
export function createRoomsService(
  init: RoomsServiceInit = {},
): (components: RoomsServiceComponents) => RoomsService {
  return components => {
    const { clock, metrics } = components;
    const rooms = createRooms(init)(components);
    const open = createDoors(init, { ...components, rooms });
    const sessions = createSessionStore(clock, () =>
      roomMetrics(metrics).expired.add(1, { kind: "session" }),
    );
    const action = "rooms:join" as const;
    return {
      name: "rooms",
      rooms,
      routes: [
        { path: "/ws/signal/", action, handler: relayDoor(open, rooms) },
        { path: "/ws/signaling/", action, handler: targetedDoor(open, rooms) },
        { path: "/ws/mcp/", action, handler: chatDoor(open, rooms, components.jsonRpc) },
        { path: "/signaling", action, handler: sessionsDoor(open, rooms, sessions) },
      ],
      async start() {},
      async stop() {
        sessions.close();
        rooms.close();
      },
    };
  };
}
