import type { NodeStatus, PeerBody } from "@cidcast/protocols/node-api";
import type { Config } from "../config/index.ts";
import type { ContentService } from "../content/index.ts";
import {
  createHttpServer,
  type MountedRoute,
  type PeerControl,
  type RegisteredRoute,
} from "../http/index.ts";
import type { Media, Prepare } from "../media/index.ts";
import type { Notify } from "../notify/index.ts";
import type { Peer } from "../p2p/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { createWebSocketRouter, type SocketRoute } from "../ws/index.ts";
import { doorAuthoriser } from "./authoriser.ts";
import type { WebRTCParts } from "./network.ts";
import { WEB_ROOT } from "./paths.ts";
import type { Shared } from "./shared.ts";
import { VERSION } from "./version.ts";

/** What the doors lead to. */
export interface Doors extends Shared {
  readonly openHttp: ReturnType<typeof createHttpServer>;
  readonly onShutdownRequest: (() => void) | undefined;
  readonly content: ContentService;
  readonly media: Media;
  readonly prepare: Prepare;
  readonly peer: Peer | undefined;
  readonly webrtc: WebRTCParts | undefined;
  readonly notify: Notify;
  readonly tenancy: Tenancy;
  /** HTTP routes beside the door's own. */
  readonly mounted: readonly MountedRoute[];
  /** WebSocket addresses beside the signalling's. */
  readonly sockets: readonly SocketRoute[];
  readonly status: () => Promise<NodeStatus>;
  readonly render: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** The open doors. */
export interface OpenDoors {
  /** Where a browser on this machine finds the node. */
  readonly url: string;
  readonly routes: () => NodeRoutes;
}

/** Every address of a node and the action it asks for. */
export interface NodeRoutes {
  readonly http: readonly RegisteredRoute[];
  readonly sockets: readonly Pick<SocketRoute, "path" | "action">[];
}

/** Opens HTTP and WebSockets. */
export async function startDoors(doors: Doors): Promise<OpenDoors> {
  const { openHttp, log, metrics, parts, opened, content, media, prepare, peer, webrtc, status, render } =
    doors;
  const http = openHttp({
    content,
    media,
    prepare,
    webrtc: webrtc?.manager,
    webrtcMissing: parts.reason("webrtc"),
    peer: peer === undefined ? undefined : peerControl(peer),
    events: doors.notify,
    tenants: doors.tenancy,
    mounted: doors.mounted,
    authoriser: doorAuthoriser,
    log,
    metrics,
    renderMetrics: render,
    status,
    webRoot: WEB_ROOT,
    requestShutdown: () => doors.onShutdownRequest?.(),
  });
  const sockets = createWebSocketRouter({})({
    server: http.server,
    admit: request => http.admitUpgrade(request),
    watch: (principal, onEnd) => doors.tenancy.watch(principal, onEnd),
    authoriser: doorAuthoriser,
    log,
    metrics,
    signalling: webrtc?.signalling,
    signallingMissing: parts.reason("webrtc"),
  });
  for (const route of doors.sockets) sockets.handle(route);
  await sockets.start();
  // Stopped backwards: sockets are told why before HTTP takes them away.
  opened.push(http, sockets);
  await http.start();
  parts.ready("http", true);
  return { url: http.address().url, routes: () => ({ http: http.routes(), sockets: sockets.routes() }) };
}

/** `INVALID_CONFIG` when HTTP would serve other machines without a token. */
export function httpOf(config: Config): ReturnType<typeof createHttpServer> {
  const { host, port, token, allowedHosts, corsOrigins, maxUploadBytes, debug } = config;
  return createHttpServer({
    host,
    port,
    token,
    allowedHosts,
    corsOrigins,
    maxUploadBytes,
    debug,
    iceServers: config.webrtc.iceServers,
    version: VERSION,
  });
}

/** What the HTTP door shows of the peer, and does with it. */
function peerControl(peer: Peer): PeerControl {
  return {
    peerId: peer.id,
    addresses: () => peer.multiaddrs,
    peers() {
      const byId = new Map<string, PeerBody & { addresses: string[] }>();
      for (const { peerId, address, direction, openedAtMs } of peer.connections()) {
        const known = byId.get(peerId);
        if (known === undefined)
          byId.set(peerId, { peerId, addresses: [address], direction, connectedAtMs: openedAtMs });
        else known.addresses.push(address);
      }
      return [...byId.values()];
    },
    async connect(address, options) {
      const { peerId } = await peer.connectToPeer(address, options);
      return { peerId };
    },
  };
}
