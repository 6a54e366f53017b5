import { createHmac } from "node:crypto";
import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import { systemClock } from "../core/index.ts";
import {
  createGeneralHandler,
  createNotify,
  createSharedLog,
  createStatusHandler,
  createWebhookRegistry,
  joinNodeEvents,
  mountRoutes,
  type NodeStatus as StatusFrame,
  type Notify,
  type NotifyTables,
  type WebhookRegistry,
} from "../notify/index.ts";
import {
  createRedisRoomsBackplane,
  createRoomsService,
  type JsonRpcDoor,
  type RoomsService,
} from "../rooms/index.ts";
import type { Database } from "../store/index.ts";
import type { SignallingHandler } from "../webrtc/index.ts";
import { refuseAfterHandshake, type SocketRoute } from "../ws/index.ts";
import { tellClusterEvents } from "./cluster.ts";
import { refuseMcp, shareWithRooms } from "./mcp.ts";
import { NODE_EVENTS } from "./notifications.ts";
import { closing } from "./parts.ts";
import type { Shared } from "./shared.ts";

/** Where rooms and MCP share an address. */
const SHARED_PATH = "/ws/mcp";

/** Opens the event log on the node's bus: from now on nothing that happens is missed. */
export async function startNotify(shared: Shared): Promise<Notify> {
  const { config, log, metrics, events, parts, opened } = shared;
  const { redisUrl } = config;
  const components = { clock: systemClock, log, metrics };
  const sharedLog = redisUrl === undefined ? undefined : createSharedLog({ url: redisUrl })(components);
  const notify = createNotify({
    log: config.events.log,
    directory: config.dataDir,
    durability: config.content.durability,
    // Each of them is a WebSocket, and those are counted at the door.
    sockets: { maxConnections: config.sockets.max, maxConnectionsPerAddress: config.sockets.maxPerAddress },
  })({ ...components, ...(sharedLog !== undefined && { events: sharedLog }) });
  opened.push(notify);
  opened.push(closing("events", joinNodeEvents(events, { events: notify.events, log, table: NODE_EVENTS })));
  await notify.start();
  parts.ready("events", false);
  if (sharedLog !== undefined) await startShared(shared, "events", sharedLog);
  return notify;
}

/** Opens the webhooks: each goes on where its receiver was. */
export async function startWebhooks(
  { log, opened }: Shared,
  init: { readonly notify: Notify; readonly database: Database; readonly signingKey: string },
): Promise<WebhookRegistry> {
  const secretOf = (id: string): string =>
    createHmac("sha256", init.signingKey).update(`webhook:${id}`).digest("hex");
  const webhooks = createWebhookRegistry({ secretOf })({
    db: init.database.tables<NotifyTables>(),
    notify: init.notify,
    clock: systemClock,
    log,
  });
  opened.push(webhooks);
  await webhooks.start();
  return webhooks;
}

/** Something that is shared between nodes, and works alone while it is not. */
interface SharedPart {
  readonly state: string;
  onState(listener: () => void): () => void;
  start(): Promise<void>;
}

/** Joins the other nodes; while Redis cannot be reached the part is `degraded`. */
async function startShared({ parts, opened }: Shared, name: string, part: SharedPart): Promise<void> {
  const tell = (): void => {
    if (part.state === "connected") parts.ready(name, false);
    else parts.degraded(name, "Redis cannot be reached: this node goes on alone");
  };
  opened.push(closing(`${name}-state`, part.onState(tell)));
  await part.start();
  tell();
}

/** Opens the rooms. Nodes with one secret take each other's tokens. */
export async function startRooms(
  shared: Shared,
  init: {
    readonly secret: string;
    readonly jsonRpc?: JsonRpcDoor | undefined;
    readonly peerId?: string | undefined;
  },
): Promise<RoomsService> {
  const { config, log, metrics, events, parts, opened } = shared;
  const { redisUrl } = config;
  const { peerId } = init;
  const backplane =
    redisUrl === undefined
      ? undefined
      : createRedisRoomsBackplane({ url: redisUrl, ...(peerId !== undefined && { peerId }) })({
          clock: systemClock,
          log,
        });
  if (backplane !== undefined) {
    opened.push(tellClusterEvents({ events, backplane, peerId, clock: systemClock }), backplane);
  }
  const rooms = createRoomsService({ maxMembers: config.rooms.maxMembers, secret: init.secret })({
    clock: systemClock,
    log,
    metrics,
    backplane,
    jsonRpc: init.jsonRpc,
  });
  opened.push(rooms);
  await rooms.start();
  parts.ready("rooms", false);
  if (backplane !== undefined) await startShared(shared, "rooms", backplane);
  return rooms;
}

/** Every WebSocket address of notifications, status and rooms. */
export function eventSockets(init: {
  readonly notify: Notify;
  readonly rooms: RoomsService;
  readonly status: () => Promise<StatusFrame>;
  readonly signalling: SignallingHandler | undefined;
  /** Clients of `/ws/mcp/` may speak MCP, rooms, or both. */
  readonly mcp: JsonRpcDoor | undefined;
}): SocketRoute[] {
  const { notify, rooms, status, signalling, mcp } = init;
  const { sockets, notifications } = notify;
  const components = { notifications, status, clock: systemClock };
  const action = "events:subscribe" as const;
  sockets.registerRoute({ path: "/ws/status", action, handler: createStatusHandler(components) });
  const general = createGeneralHandler({ ...components, signalling });
  sockets.registerRoute({ path: "/ws", action, handler: general });
  const isShared = (path: string): boolean => mcp !== undefined && path.startsWith(SHARED_PATH);
  const routes = rooms.routes.map(route =>
    mcp !== undefined && isShared(route.path)
      ? { ...route, action: "mcp:connect" as const, handler: shareWithRooms(route.handler, mcp) }
      : route,
  );
  return mountRoutes([...sockets.routes(), ...routes]).map(route =>
    isShared(route.path)
      ? { ...route, refuse: refuseMcp, maxMessageBytes: MAX_MESSAGE_BYTES }
      : { ...route, refuse: refuseAfterHandshake },
  );
}
