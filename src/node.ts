import { join } from "node:path";
import type { CheckBody, CheckReport } from "@cidcast/protocols/connectivity";
import type { NodeStatus } from "@cidcast/protocols/node-api";
import { type Config, type ConfigInput, parseConfig, redactConfig } from "./config/index.ts";
import { type Content, contentMigrations, createContent } from "./content/index.ts";
import {
  type AbortOptions,
  CidcastError,
  EventBus,
  type Logger,
  type Service,
  stopAll,
  systemClock,
} from "./core/index.ts";
import type { Mcp } from "./mcp/index.ts";
import { type BackupOptions, createBackup } from "./node/backup/index.ts";
import { connectivityOf } from "./node/check/index.ts";
import {
  type Captions,
  createCaptions,
  createMedia,
  type Media,
  mediaMigrations,
  type Prepare,
} from "./media/index.ts";
import { consoleSource } from "./node/console.ts";
import { byteRoutes } from "./node/bytes.ts";
import { diagnosisOf } from "./node/diagnosis.ts";
import { httpOf, type NodeRoutes, type OpenDoors, startDoors } from "./node/doors.ts";
import { startDenylist } from "./node/denylist.ts";
import { createDrain } from "./node/drain.ts";
import { Live, type Reloaded } from "./node/live.ts";
import { eventSockets, startNotify, startRooms, startWebhooks } from "./node/events.ts";
import { contentSocket, startTransfers } from "./node/transfers.ts";
import { startRemoteActions } from "./node/remote-actions.ts";
import { addSample, collectRegularly, probeAdded } from "./node/library.ts";
import { startMcp } from "./node/mcp.ts";
import { type NodeMetadata, startMetadata } from "./node/metadata.ts";
import { countPinning, tellReload, tellSystemEvents, tellTrouble } from "./node/system-events.ts";
import { startTenancy } from "./node/tenants.ts";
import { measureTraffic, statusFrames } from "./node/machine.ts";
import { startPeer, startPeerEvents, startWebRTC, type WebRTCParts } from "./node/network.ts";
import { closing, Parts } from "./node/parts.ts";
import type { NodeEvents } from "./node/shared.ts";
import { VERSION } from "./node/version.ts";
import { startTracing } from "./node/tracing.ts";
import { codeCacheOf } from "./node/paths.ts";
import { startPrepare } from "./node/prepare.ts";
import { answers, type Peer, peerMigrations, signerOf } from "./p2p/index.ts";
import { createSettings, lockDataDir, openDatabase, settingsMigrations } from "./store/index.ts";
import { type Notify, notifyMigrations } from "./notify/index.ts";
import { type Tenancy, tenancyMigrations } from "./tenancy/index.ts";
import { createLogger, createMetrics, type LevelledLogger } from "./telemetry/index.ts";
import {
  createContentServer,
  transferMetrics,
  transferMigrations,
  type Transfers,
} from "./transfer/index.ts";
import type { SignallingHandler, WebRTCStreamingManager } from "./webrtc/index.ts";

export type { NodeEvents } from "./node/shared.ts";
export { VERSION } from "./node/version.ts";

/** What an application may hand in instead of what the node makes itself. */
export interface NodeOptions {
  /** `false`: only content and media, for one command on a data directory; nothing listens. Default true. */
  readonly serve?: boolean;
  /** Open MCP, and the tenants it is for, also where nothing is served. Default: as `serve`. */
  readonly mcp?: boolean;
  readonly log?: Logger;
  /** Called when somebody who may asks the node to stop, over HTTP. */
  readonly onShutdownRequest?: () => void;
}

/** A running node. Closing it gives everything back within a few seconds. */
export interface CidcastNode extends AsyncDisposable {
  readonly config: Config;
  readonly version: string;
  readonly content: Content;
  readonly media: Media;
  /** Prepared ladders and the jobs that make them. */
  readonly prepare: Prepare;
  /** Captions, chapters and tags of media. */
  readonly captions: Captions;
  readonly events: EventBus<NodeEvents>;
  /** Notifications: the log, `emitEvent`, and the WebSockets with `registerRoute`. Undefined when the node does not serve. */
  readonly notify: Notify | undefined;
  /** Undefined when WebRTC is switched off or could not start: `status()` tells why. */
  readonly webrtc: WebRTCStreamingManager | undefined;
  readonly signalling: SignallingHandler | undefined;
  /** Undefined when MCP is switched off, or the node opened without it. */
  readonly mcp: Mcp | undefined;
  /** Tenants, tokens and quotas; undefined as `mcp` is. */
  readonly tenancy: Tenancy | undefined;
  /** Undefined when libp2p is switched off or could not start. */
  readonly peer: Peer | undefined;
  /** Brings content here from peers, other nodes and gateways. */
  readonly transfers: Transfers;
  /** Signed records of what content is, here and at peers. */
  readonly metadata: NodeMetadata;
  /** Looks at every way to and from the node, up to a clip that is played. */
  checkConnectivity(request?: CheckBody & AbortOptions): Promise<CheckReport>;
  /** Where a browser on this machine opens the node; undefined when it does not serve. */
  readonly url: string | undefined;
  /** Every address and the action it asks for; none when it does not serve. */
  routes(): NodeRoutes;
  /** The sample clip's CID, where it is here. */
  readonly sampleCid: string | undefined;
  readonly dataDir: string;
  readonly adminKeyFile: string;
  status(): Promise<NodeStatus>;
  /** A backup as a tar file, consistent while the node works: `restoreBackup` makes a data directory of it. */
  backup(options?: BackupOptions): AsyncIterable<Uint8Array>;
  /** Takes over the settings that can change while it runs. `INVALID_CONFIG`, and nothing has changed, when they cannot be. */
  reload(config: Config): Reloaded;
  /** Takes no new viewers and lets those that are there finish, for as long as `drainTimeoutMs` says; then `stop` is due. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

/** Opens a data directory and starts a node on it. Throws what keeps it from serving; parts it can do without are told in `status()`. */
export async function createNode(input: ConfigInput = {}, options: NodeOptions = {}): Promise<CidcastNode> {
  const config = parseConfig(input);
  const log = options.log ?? loggerOf(config);
  const opened: Service[] = [];
  try {
    return await assemble({ config, log, options, opened });
  } catch (error) {
    await stopAll(opened, log);
    throw error;
  }
}

interface Assembly {
  readonly config: Config;
  readonly log: Logger;
  readonly options: NodeOptions;
  /** What has been opened so far, in order: stopped backwards. */
  readonly opened: Service[];
}

async function assemble({ config, log, options, opened }: Assembly): Promise<CidcastNode> {
  const startedAtMs = systemClock.now();
  const serve = options.serve ?? true;
  log.debug({ config: redactConfig(config) }, "configuration");
  // First of all: a bind that is not allowed is told before anything is opened.
  const openHttp = serve ? await httpOf(config) : undefined;
  if (config.allowedHosts.length > 0 && config.token === undefined) {
    log.warn({}, "allowedHosts without a token: whoever comes through a proxy may do everything");
  }

  const dataDir = lockDataDir(config.dataDir);
  opened.push(closing("data-dir", () => dataDir.release()));
  const metricsHandle = createMetrics({ processMetrics: serve });
  opened.push(closing("metrics", () => metricsHandle.close()));
  const { metrics } = metricsHandle;
  const database = await openDatabase({
    file: join(config.dataDir, "node.db"),
    url: config.databaseUrl,
    onError: (err, what) => log.warn({ err }, what),
    durability: config.content.durability,
    migrations: [
      ...settingsMigrations,
      ...contentMigrations,
      ...peerMigrations,
      ...tenancyMigrations,
      ...notifyMigrations,
      ...transferMigrations,
      ...mediaMigrations,
    ],
  });
  opened.push(closing("database", () => database.close()));
  const settings = createSettings(database);
  const events = new EventBus<NodeEvents>(log);
  const parts = new Parts(log, (message, state) => tellTrouble(events, message, state));
  const pinning = countPinning(events);

  const live = new Live(config, log);
  const base = { config, live, log, metrics, events, parts, opened };
  const shared = { ...base, tracer: serve ? await startTracing(base) : undefined };
  const notify = serve ? await startNotify(shared) : undefined;
  const withMcp = options.mcp ?? serve;
  const tenancy = serve || withMcp ? await startTenancy(shared, database) : undefined;

  /** What comes up later, for those who ask before and after. */
  const running: {
    peer?: Peer;
    webrtc?: WebRTCParts;
    mcp?: Mcp;
    check?: CidcastNode["checkConnectivity"];
    transfers?: Transfers;
  } = {};
  const traffic = measureTraffic(shared, () => running.webrtc?.manager);
  const denylist = await startDenylist(shared);
  const content = createContent({
    directory: config.dataDir,
    blockstore: { durability: config.content.durability },
    limits: { findTimeoutMs: config.content.findTimeoutMs },
  })({
    database,
    log,
    metrics,
    events,
    clock: systemClock,
    denylist: denylist.list,
    network: {
      fetchBlock: (cid, fetchOptions) => {
        if (running.peer !== undefined) return running.peer.fetchBlock(cid, fetchOptions);
        throw new CidcastError("CONTENT_NOT_FOUND", `${cid} is not here, and there is no peer to ask`);
      },
      get hasPeers() {
        return (running.peer?.hasPeers ?? false) || (running.transfers?.isRunning ?? false);
      },
      bring: async (cid, bringOptions) => (await running.transfers?.bring(cid, bringOptions)) ?? false,
    },
  });
  await content.start();
  opened.push(content);
  parts.ready("content", true);

  const prepared: { current?: Prepare } = {};
  const trust = { signers: config.media.trustedSigners, signerOf };
  const media = createMedia({
    codeCacheDir: codeCacheOf(config.dataDir),
    gopStoreMaxBytes: config.media.gopStoreMaxBytes,
    ffmpegPath: config.media.ffmpegPath,
    transcode: config.media.transcode,
    maxVideoJobs: config.media.maxTranscodes === 0 ? undefined : config.media.maxTranscodes,
  })({
    content,
    log,
    metrics,
    events,
    clock: systemClock,
    manifestOf: async cid => prepared.current?.rootOf(cid),
    trust,
  });
  await media.start();
  opened.push(media);
  parts.ready("media", true, media.encoderMissing);
  const { prepare, prepareFor } = await startPrepare(shared, {
    content,
    database,
    media,
    tenancy,
    resume: serve,
  });
  prepared.current = prepare;
  const captions = createCaptions({ content, database, clock: systemClock, trust });
  opened.push(probeAdded({ content, media, events, log }));
  const { gcIntervalMs: intervalMs } = config.content;
  if (serve) opened.push(collectRegularly({ content, intervalMs, clock: systemClock, log }));

  const place: { url?: string } = {};
  const serveStream = createContentServer({
    blocks: content.blocks,
    metrics: transferMetrics(metrics),
    clock: systemClock,
    log,
  });
  const peerCount = (): number =>
    new Set(running.peer?.connections().map(connection => connection.peerId)).size;
  const status = async (): Promise<NodeStatus> => ({
    name: "cidcast",
    version: VERSION,
    peerId: running.peer?.id,
    startedAtMs,
    parts: parts.list(),
    contentCount: (await content.list({ limit: 1 })).total,
    peers: peerCount(),
    sessions: running.webrtc?.manager.sessions().length ?? 0,
    maxSessions: config.webrtc.maxSessions,
    encoder: media.encoder,
  });
  const console = consoleSource({
    status,
    sessions: () => running.webrtc?.manager.sessions() ?? [],
    peer: () => running.peer,
    transfers: () => running.transfers,
    prepare,
    notify,
  });
  const drain = createDrain({
    viewers: () => running.webrtc?.manager.sessions().length ?? 0,
    events,
    parts,
    clock: systemClock,
    log,
  });
  const work = {
    prepare: prepareFor,
    transfers: () => running.transfers,
    connections: () => running.peer?.connections(),
  };
  const backup = (backupOptions: BackupOptions = {}) =>
    createBackup({ dataDir: config.dataDir, database, content }, backupOptions);
  const mcpInit = {
    ...shared,
    backup,
    diagnose: diagnosisOf({ webrtc: () => running.webrtc?.manager, check: () => running.check }),
    console,
    work,
    content,
    media,
    captions,
    notify,
    dataDir,
    baseUrl: () => place.url ?? "",
  };
  // All load much code and wait for sockets: side by side they are up in the time of the slowest one.
  const [peer, webrtc, mcp] = await settle([
    serve ? startPeer(shared, content, database, serveStream) : undefined,
    serve && tenancy !== undefined
      ? startWebRTC(
          shared,
          { media, captions },
          {
            tenancy,
            denylist,
            mcp: () => running.mcp,
            admit: ref => {
              drain.admit();
              denylist.list.checkRef(ref);
            },
          },
        )
      : undefined,
    withMcp && tenancy !== undefined ? startMcp({ ...mcpInit, tenancy }) : undefined,
  ]);
  Object.assign(running, { peer, webrtc, mcp: mcp?.mcp });
  const transfers = await startTransfers(shared, {
    content,
    database,
    peer,
    serve,
    ownUrl: () => place.url,
    signingKey: dataDir.signingKey(),
  });
  running.transfers = transfers;
  const looked: { sampleCid?: string | undefined; doors?: OpenDoors | undefined } = {};
  const checkConnectivity = connectivityOf(shared, content, () => ({
    url: place.url,
    sampleCid: looked.sampleCid,
    peer,
    sockets: looked.doors?.routes().sockets ?? [],
  }));
  running.check = checkConnectivity;
  const frames = statusFrames({ status, dataDir: config.dataDir, pinning, traffic });
  const metadata = await startMetadata(shared, { content, prepare, database, peer });
  if (peer !== undefined && tenancy !== undefined && answers(peer.role, "mcp")) {
    await startRemoteActions(shared, { peer, content, transfers, status, tenancy, mcp: mcp?.mcp });
  }
  const doors =
    openHttp === undefined || notify === undefined || tenancy === undefined
      ? undefined
      : await startDoors({
          openHttp,
          ...shared,
          onShutdownRequest: options.onShutdownRequest,
          content,
          media,
          prepareFor,
          captions,
          peer,
          webrtc,
          notify,
          webhooks: await startWebhooks(shared, { notify, database, signingKey: dataDir.signingKey() }),
          tenancy,
          transfers,
          mounted: mcp?.routes ?? [],
          sockets: [
            contentSocket(shared, serveStream),
            ...byteRoutes(shared, { content, tenancy }),
            ...eventSockets({
              notify,
              rooms: await startRooms(shared, {
                secret: config.secretKey ?? dataDir.signingKey(),
                jsonRpc: mcp?.jsonRpc,
                peerId: peer?.id,
              }),
              status: frames,
              signalling: webrtc?.signalling,
              mcp: mcp?.jsonRpc,
            }),
          ],
          status,
          checkConnectivity,
          render: metricsHandle.render,
        });
  looked.doors = doors;
  if (notify !== undefined && tenancy !== undefined && peer !== undefined) {
    await startPeerEvents(shared, { peer, notify, tenancy });
  }
  if (notify !== undefined) {
    const told = { events, notify, webrtc: webrtc?.manager, clock: systemClock, log };
    opened.push(tellSystemEvents({ ...told, peers: peerCount, status: frames }));
  }
  const url = doors?.url;
  if (url !== undefined) {
    place.url = url;
    const certificate = config.tls.selfSigned ? join(config.dataDir, "tls", "cert.pem") : undefined;
    dataDir.announce({ url, pid: process.pid, ...(certificate !== undefined && { certificate }) });
  }
  const sampleCid = serve && config.sample ? await addSample(content, settings, log) : undefined;

  looked.sampleCid = sampleCid;

  events.publish("system_info", { message: "the node has started", version: VERSION });

  if (options.log === undefined) followLevel(live, log);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= stopAll(opened, log));
  return {
    get config() {
      return live.config;
    },
    version: VERSION,
    content,
    media,
    prepare,
    captions,
    events,
    notify,
    webrtc: webrtc?.manager,
    signalling: webrtc?.signalling,
    mcp: mcp?.mcp,
    tenancy,
    peer,
    transfers,
    metadata,
    checkConnectivity,
    url,
    routes: () => doors?.routes() ?? { http: [], sockets: [] },
    sampleCid,
    dataDir: config.dataDir,
    adminKeyFile: dataDir.adminKey().file,
    status,
    backup,
    reload: next => tellReload(events, live.reload(next)),
    drain: () => drain.begin(live.config.drainTimeoutMs),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The node's own logger: one that an application hands in is that application's. */
function followLevel(live: Live, log: Logger): void {
  if (!("setLevel" in log)) return;
  // Made by `loggerOf`.
  const own = log as LevelledLogger;
  live.follow(({ debug, logLevel }) => own.setLevel(debug ? "debug" : logLevel));
}

function loggerOf(config: Config): LevelledLogger {
  const pretty = config.logFormat === "pretty" || (config.logFormat === "auto" && process.stderr.isTTY);
  return createLogger({ level: config.debug ? "debug" : config.logLevel, pretty });
}

/** Waits for all also when one fails, so that what the others opened is known and closed. */
async function settle<A, B, C>(
  work: readonly [A | Promise<A>, B | Promise<B>, C | Promise<C>],
): Promise<[A, B, C]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
