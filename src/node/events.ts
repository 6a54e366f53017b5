import { systemClock } from "../core/index.ts";
import {
  createGeneralHandler,
  createNotify,
  createStatusHandler,
  joinNodeEvents,
  mountRoutes,
  type NodeStatus as StatusFrame,
  type Notify,
} from "../notify/index.ts";
import { createRoomsService, type JsonRpcDoor, type RoomsService } from "../rooms/index.ts";
import type { SignallingHandler } from "../webrtc/index.ts";
import type { SocketRoute } from "../ws/index.ts";
import { refuseMcp, withRoomAccess } from "./mcp.ts";
import { closing } from "./parts.ts";
import type { Shared } from "./shared.ts";

/** Where rooms and MCP share an address. */
const SHARED_PATH = "/ws/mcp";

/** Opens the event log on the node's bus: from now on nothing that happens is missed. */
export async function startNotify(shared: Shared): Promise<Notify> {
  const { config, log, metrics, events, parts, opened } = shared;
  const notify = createNotify({
    log: config.events.log,
    directory: config.dataDir,
    durability: config.content.durability,
  })({ clock: systemClock, log, metrics });
  opened.push(notify);
  opened.push(closing("events", joinNodeEvents(events, { events: notify.events, log })));
  await notify.start();
  parts.ready("events", false);
  return notify;
}

/** Opens the rooms. */
export async function startRooms(shared: Shared, jsonRpc?: JsonRpcDoor): Promise<RoomsService> {
  const { config, log, metrics, parts, opened } = shared;
  const rooms = createRoomsService({ maxMembers: config.rooms.maxMembers })({
    clock: systemClock,
    log,
    metrics,
    jsonRpc,
  });
  opened.push(rooms);
  await rooms.start();
  parts.ready("rooms", false);
  return rooms;
}

/** Every WebSocket address of notifications, status and rooms. */
export function eventSockets(init: {
  readonly notify: Notify;
  readonly rooms: RoomsService;
  readonly status: () => Promise<StatusFrame>;
  readonly signalling: SignallingHandler | undefined;
  /** Clients of `/ws/mcp/` may speak MCP, rooms, or both. */
  readonly mcp: boolean;
}): SocketRoute[] {
  const { notify, rooms, status, signalling, mcp } = init;
  const { sockets, notifications } = notify;
  const components = { notifications, status, clock: systemClock };
  const action = "events:subscribe" as const;
  sockets.registerRoute({ path: "/ws/status", action, handler: createStatusHandler(components) });
  const general = createGeneralHandler({ ...components, signalling });
  sockets.registerRoute({ path: "/ws", action, handler: general });
  const isShared = (path: string): boolean => mcp && path.startsWith(SHARED_PATH);
  const routes = rooms.routes.map(route =>
    isShared(route.path)
      ? { ...route, action: "mcp:connect" as const, handler: withRoomAccess(route.handler) }
      : route,
  );
  return mountRoutes([...sockets.routes(), ...routes]).map(route =>
    isShared(route.path) ? { ...route, refuse: refuseMcp } : route,
  );
}
