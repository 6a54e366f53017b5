import { join } from "node:path";
import type { CheckBody, CheckReport } from "@cidcast/protocols/connectivity";
import type { NodeStatus, PeerBody } from "@cidcast/protocols/node-api";
import type { Config } from "../config/index.ts";
import type { ContentService } from "../content/index.ts";
import { type AbortOptions, CidcastError } from "../core/index.ts";
import {
  type CertificateFiles,
  createHttpServer,
  type MountedRoute,
  ownHosts,
  type PeerControl,
  type RegisteredRoute,
} from "../http/index.ts";
import type { Captions, Media } from "../media/index.ts";
import {
  mountRoutes,
  type Notify,
  type SocketRoute as RegisteredSocket,
  type WebhookRegistry,
} from "../notify/index.ts";
import type { Peer } from "../p2p/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import type { Transfers } from "../transfer/index.ts";
import { createWebSocketRouter, type SocketRoute, type WebSocketRouter } from "../ws/index.ts";
import { doorAuthoriser } from "./authoriser.ts";
import type { WebRTCParts } from "./network.ts";
import { closing } from "./parts.ts";
import { WEB_ROOT } from "./paths.ts";
import type { Shared } from "./shared.ts";
import type { PrepareFor } from "./tenant-jobs.ts";
import { VERSION } from "./version.ts";

/** TCP connections at a time that are not WebSockets. */
const MAX_PLAIN_CONNECTIONS = 4096;

/** What the doors lead to. */
export interface Doors extends Shared {
  readonly openHttp: ReturnType<typeof createHttpServer>;
  readonly onShutdownRequest: (() => void) | undefined;
  readonly content: ContentService;
  readonly media: Media;
  readonly prepareFor: PrepareFor;
  readonly captions: Captions;
  readonly peer: Peer | undefined;
  readonly webrtc: WebRTCParts | undefined;
  readonly notify: Notify;
  readonly webhooks: WebhookRegistry;
  readonly tenancy: Tenancy;
  readonly transfers: Transfers;
  /** HTTP routes beside the door's own. */
  readonly mounted: readonly MountedRoute[];
  /** WebSocket addresses beside the signalling's. */
  readonly sockets: readonly SocketRoute[];
  readonly status: () => Promise<NodeStatus>;
  readonly checkConnectivity: (request: CheckBody & AbortOptions) => Promise<CheckReport>;
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
  const { openHttp, log, metrics, parts, opened, content, media, prepareFor, peer, webrtc, status, render } =
    doors;
  const http = openHttp({
    content,
    media,
    prepareFor,
    captions: doors.captions,
    webrtc: webrtc?.manager,
    webrtcMissing: parts.reason("webrtc"),
    peer: peer === undefined ? undefined : peerControl(peer),
    events: doors.notify,
    webhooks: doors.webhooks,
    tenants: doors.tenancy,
    transfers: doors.transfers,
    mounted: doors.mounted,
    authoriser: doorAuthoriser,
    tracer: doors.tracer,
    log,
    metrics,
    renderMetrics: render,
    status,
    checkConnectivity: doors.checkConnectivity,
    webRoot: WEB_ROOT,
    requestShutdown: () => doors.onShutdownRequest?.(),
  });
  const { max: maxSockets, maxPerAddress: maxSocketsPerAddress } = doors.config.sockets;
  const sockets = createWebSocketRouter({ limits: { maxSockets, maxSocketsPerAddress } })({
    server: http.server,
    admit: request => http.admitUpgrade(request),
    watch: (principal, onEnd) => doors.tenancy.watch(principal, onEnd),
    authoriser: doorAuthoriser,
    log,
    metrics,
    tracer: doors.tracer,
    signalling: webrtc?.signalling,
    signallingMissing: parts.reason("webrtc"),
  });
  for (const route of doors.sockets) sockets.handle(route);
  const unfollow = doors.notify.sockets.follow(route => serveRoute(sockets, route));
  opened.push(closing("registered-sockets", unfollow));
  doors.live.follow(({ allowedHosts, corsOrigins }) => http.setRules({ allowedHosts, corsOrigins }));
  await sockets.start();
  // Stopped backwards: sockets are told why before HTTP takes them away.
  opened.push(http, sockets);
  await http.start();
  parts.ready("http", true);
  return { url: http.address().url, routes: () => ({ http: http.routes(), sockets: sockets.routes() }) };
}

/** Serves an address that an application registers, with and without a slash at its end, or neither. */
function serveRoute(router: WebSocketRouter, route: RegisteredSocket): () => void {
  const ends: (() => void)[] = [];
  const end = (): void => {
    for (const take of ends) take();
  };
  try {
    for (const mounted of mountRoutes([route])) ends.push(router.handle(mounted));
  } catch (error) {
    end();
    throw error;
  }
  return end;
}

/** `INVALID_CONFIG` when HTTP would serve other machines without a token. */
export async function httpOf(config: Config): Promise<ReturnType<typeof createHttpServer>> {
  const { host, port, token, allowedHosts, corsOrigins, maxUploadBytes, debug } = config;
  return createHttpServer({
    host,
    port,
    token,
    allowedHosts,
    corsOrigins,
    maxUploadBytes,
    reportDir: join(config.dataDir, "benchmarks"),
    uploadDir: join(config.dataDir, "uploads"),
    debug,
    tls: await certificateFiles(config),
    limits: { maxConnections: config.sockets.max + MAX_PLAIN_CONNECTIONS },
    version: VERSION,
  });
}

/** The files that HTTP is served with over TLS; undefined: it is served plainly. `INVALID_CONFIG` when they do not fit together. */
async function certificateFiles(config: Config): Promise<CertificateFiles | undefined> {
  const { tls, host, allowedHosts, dataDir } = config;
  const { cert, key } = tls;
  if ((cert === undefined) !== (key === undefined)) {
    throw new CidcastError(
      "INVALID_CONFIG",
      "TLS needs both a certificate and its key: --tls-cert and --tls-key",
    );
  }
  if (cert !== undefined && key !== undefined) {
    if (!tls.selfSigned) return { cert, key };
    throw new CidcastError(
      "INVALID_CONFIG",
      "TLS has either a certificate of yours or one of its own, not both",
    );
  }
  if (!tls.selfSigned) return undefined;
  // Loaded here: making certificates takes much code that a node seldom needs.
  const { selfSigned } = await import("../http/tls/self-signed.ts");
  return selfSigned(join(dataDir, "tls"), { hosts: ownHosts(host, allowedHosts), nowMs: Date.now() });
}

/** What the HTTP door shows of the peer, and does with it. */
function peerControl(peer: Peer): PeerControl {
  return {
    peerId: peer.id,
    addresses: () => peer.multiaddrs,
    reachability: () => peer.reachability(),
    peers() {
      const byId = new Map<string, PeerBody & { addresses: string[]; relayed?: boolean | undefined }>();
      for (const { peerId, address, direction, openedAtMs, relayed } of peer.connections()) {
        const known = byId.get(peerId);
        if (known === undefined) {
          const reputation = peer.reputation.facts(peerId);
          const body = { peerId, addresses: [address], direction, connectedAtMs: openedAtMs, relayed };
          byId.set(peerId, reputation === undefined ? body : { ...body, reputation });
        } else {
          known.addresses.push(address);
          known.relayed = known.relayed === true && relayed;
        }
      }
      return [...byId.values()];
    },
    async connect(address, options) {
      const { peerId } = await peer.connectToPeer(address, options);
      return { peerId };
    },
  };
}
