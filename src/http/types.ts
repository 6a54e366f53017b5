import type { DoorRules } from "./door/door.ts";
import type { IncomingMessage, Server } from "node:http";
import type { CheckBody, CheckReport } from "@cidcast/protocols/connectivity";
import type { NodeStatus, IdResult, PeerBody } from "@cidcast/protocols/node-api";
import type { Content } from "../content/index.ts";
import type {
  AbortOptions,
  Action,
  Authoriser,
  Logger,
  Metrics,
  Principal,
  Service,
  Tracer,
} from "../core/index.ts";
import type { Captions, Media, Prepare } from "../media/index.ts";
import type { Notify, WebhookRegistry } from "../notify/index.ts";
import type { Transfers } from "../transfer/index.ts";
import type { WebRTCStreamingManager } from "../webrtc/index.ts";
import type { TenantDoor } from "./door/tenants.ts";
import type { HttpLimits } from "./limits.ts";
import type { MountedRoute } from "./routing/mounted.ts";
import type { CertificateFiles } from "./tls/certificate.ts";

export interface HttpInit {
  /** Address to listen on. Anything but loopback needs a token. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Secret that callers must show; without one, callers of a loopback address may do everything. */
  readonly token?: string | undefined;
  /** Further host names the node answers to: `name` at any port, or `name:port`. */
  readonly allowedHosts?: readonly string[];
  /** Origins of other web sites that may use the API. */
  readonly corsOrigins?: readonly string[];
  /** Largest upload, bytes. */
  readonly maxUploadBytes: number;
  /** Folder of benchmark reports; without one benchmarks answer `FEATURE_DISABLED`. */
  readonly reportDir?: string;
  /** Folder of resumable uploads; without one they answer `FEATURE_DISABLED`. */
  readonly uploadDir?: string;
  /** Version of the node, for `/api/v0/version`. */
  readonly version: string;
  /** Put messages and stacks of unexpected errors into answers; heeded on loopback alone. */
  readonly debug?: boolean;
  /** Serve over TLS, with these files; they are watched for a renewal. */
  readonly tls?: CertificateFiles | undefined;
  readonly limits?: Partial<HttpLimits>;
}

/** What the HTTP door needs of the libp2p peer. */
export interface PeerControl {
  readonly peerId: string;
  /** Multiaddrs the node listens on, each with its peer id. */
  addresses(): readonly string[];
  peers(): readonly PeerBody[];
  /** Whether others can dial the node. */
  reachability?(): NonNullable<IdResult["reachability"]>;
  /** Dials a multiaddr. `PEER_UNREACHABLE` when that fails, `INVALID_REQUEST` when it is none. */
  connect(address: string, options?: AbortOptions): Promise<{ readonly peerId: string }>;
}

export interface HttpComponents {
  readonly content: Content;
  /** Undefined: switched off; probing then answers `FEATURE_DISABLED`. */
  readonly media?: Media | undefined;
  /** Undefined: switched off; captions then answer `FEATURE_DISABLED`. */
  readonly captions?: Captions | undefined;
  /** Undefined: switched off; jobs then answer `FEATURE_DISABLED`. */
  readonly prepareFor?: ((caller: Pick<Principal, "tenantId">) => Prepare) | undefined;
  /** Undefined: WebRTC is switched off or could not start. */
  readonly webrtc?: WebRTCStreamingManager | undefined;
  /** Why there is no WebRTC, in words for people. */
  readonly webrtcMissing?: string | undefined;
  /** Undefined: libp2p is switched off or could not start. */
  readonly peer?: PeerControl | undefined;
  /** Undefined: `/api/v0/events` answers `FEATURE_DISABLED`. */
  readonly events?: Pick<Notify, "sse"> | undefined;
  /** Undefined: `/api/v0/webhooks` answers `FEATURE_DISABLED`. */
  readonly webhooks?: WebhookRegistry | undefined;
  /** Undefined: transfers answer `FEATURE_DISABLED`. */
  readonly transfers?: Transfers | undefined;
  /** Undefined: there are no tenants, and nobody's token but the node's. */
  readonly tenants?: TenantDoor | undefined;
  /** Routes that other parts of the node answer. */
  readonly mounted?: readonly MountedRoute[] | undefined;
  readonly authoriser: Authoriser;
  /** Undefined: requests are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Everything in Prometheus' text format. */
  readonly renderMetrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly status: () => NodeStatus | Promise<NodeStatus>;
  /** Looks at how the node is connected; undefined: not here. */
  readonly checkConnectivity?: ((request: CheckBody & AbortOptions) => Promise<CheckReport>) | undefined;
  /** Folder of the built pages: `index.html`, `play.html`, `assets/`. Looked at on each request. */
  readonly webRoot: string;
  /** Asks the node to stop; returns at once. */
  readonly requestShutdown: () => void;
}

/** A registered route, as the authorisation test walks them. */
export interface RegisteredRoute {
  readonly method: string;
  readonly url: string;
  /** Undefined means nobody may use it. */
  readonly action: Action | undefined;
}

/** The HTTP door of a node. */
export interface HttpServer extends Service {
  readonly name: "http";
  /** For WebSocket upgrades on the same port. */
  readonly server: Server;
  /** Where it listens; throws before `start`. `url` is what a browser on this machine opens. */
  address(): { readonly host: string; readonly port: number; readonly url: string };
  /** Checks Host and Origin of an upgrade and tells who asks. `HOST_NOT_ALLOWED`, `ORIGIN_NOT_ALLOWED`. */
  admitUpgrade(request: IncomingMessage): Promise<Principal>;
  /** From now on these hosts and origins. `INVALID_CONFIG`, and the old ones stay, for what is none. */
  setRules(rules: DoorRules): void;
  /** Every route; known after `start`. */
  routes(): readonly RegisteredRoute[];
}
