import type { ContentService } from "../content/index.ts";
import { CidcastError, isCidcastError, messageOf, scopeAuthoriser, systemClock } from "../core/index.ts";
import type { Mcp } from "../mcp/index.ts";
import type { Captions, Media } from "../media/index.ts";
import type { Notify } from "../notify/index.ts";
import { answers, createPeer, type Peer } from "../p2p/index.ts";
import type { Database } from "../store/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { type ByteStream, serveContent, transferMetrics } from "../transfer/index.ts";
import {
  createSignallingHandler,
  type ChannelDoor,
  createWebRTCStreamingManager,
  type RunningWebRTC,
  type SignallingHandler,
} from "../webrtc/index.ts";
import type { NodeDenylist } from "./denylist.ts";
import { peerInitOf } from "./peer-settings.ts";
import { mcpRefusal } from "./mcp.ts";
import { servePeerEvents } from "./peer-events.ts";
import { livePeerPrincipals, mayBeServed } from "./peer-principal.ts";
import { learnSiblings } from "./siblings.ts";
import { tenantViewers } from "./viewers.ts";
import { closing } from "./parts.ts";
import type { Shared } from "./shared.ts";
import { VERSION } from "./version.ts";

/** A node goes on without libp2p; `status()` then tells why. */
export async function startPeer(
  shared: Shared,
  content: ContentService,
  database: Database,
  serve: (stream: ByteStream) => Promise<void>,
): Promise<Peer | undefined> {
  const { config, live, log, metrics, events, parts, opened } = shared;
  if (!config.p2p.enabled) {
    parts.disabled("p2p", "it is switched off");
    return undefined;
  }
  const init = peerInitOf(config);
  const { encryption, fastTls } = config.p2p;
  const mayServe = (peerId: string): boolean => mayBeServed(live.config, peerId);
  const peer = createPeer({ ...init, encryption, fastTls, agent: `cidcast/${VERSION}` })({
    blocks: content.blocks,
    mayServe,
    database: database.tables(),
    roots: () => rootsOf(content),
    events,
    log,
    metrics,
    clock: systemClock,
  });
  try {
    await peer.start();
    await peer.startDiscovery();
  } catch (error) {
    log.error({ err: error }, "libp2p could not start; the node goes on without it");
    parts.failed("p2p", messageOf(error));
    return undefined;
  }
  opened.push(peer);
  if (answers(peer.role, "content")) {
    const stopServing = await serveContent({
      peer,
      blocks: content.blocks,
      metrics: transferMetrics(metrics),
      clock: systemClock,
      log,
      serve: stream => (mayServe(stream.peerId) ? serve(stream) : refuseStream(stream)),
    });
    opened.push(closing("transfer", stopServing));
  }
  opened.push(closing("provide", provideAdded(events, peer)));
  opened.push(closing("siblings", learnSiblings(events, { peer, content, log })));
  parts.ready("p2p", false);
  return peer;
}

/** Ends a stream of a peer that is served nothing. */
async function refuseStream(stream: ByteStream): Promise<void> {
  stream.abort(new CidcastError("FORBIDDEN", "This node serves granted peers only"));
}

/** Records read at once when everything is told to the network. */
const ROOTS_PAGE = 500;

/** The roots of all that is here. What is added meanwhile is told by itself. */
async function* rootsOf(content: ContentService): AsyncGenerator<string> {
  for (let offset = 0; ; offset += ROOTS_PAGE) {
    const { records } = await content.list({ limit: ROOTS_PAGE, offset });
    for (const { cid } of records) if (await content.isLocal(cid)) yield cid;
    if (records.length < ROOTS_PAGE) return;
  }
}

/** Tells the network of what is added and of what came from others; gives what ends it. */
function provideAdded(events: Shared["events"], peer: Peer): () => void {
  const ends = [
    events.on("content_added", ({ data }) => peer.routing.provide(data.cid)),
    events.on("transfer_completed", ({ data }) => peer.routing.provide(data.cid)),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** Lets peers that show a token subscribe to events. */
export async function startPeerEvents(
  { live, log, opened }: Shared,
  init: { readonly peer: Peer; readonly notify: Notify; readonly tenancy: Tenancy },
): Promise<void> {
  const { peer, notify, tenancy } = init;
  const stopServing = await servePeerEvents({
    peer,
    notifications: notify.notifications,
    authenticate: livePeerPrincipals(live, ({ token, p2p }) => ({
      token,
      tenancy,
      peerTokens: p2p.peerTokens,
    })),
    watch: (principal, onEnd) => tenancy.watch(principal, onEnd),
    authoriser: scopeAuthoriser,
    log,
  });
  opened.push(closing("peer-events", stopServing));
}

/** WebRTC as the doors use it. */
export interface WebRTCParts {
  readonly manager: RunningWebRTC;
  readonly signalling: SignallingHandler;
}

/** A node goes on without WebRTC where it cannot run; a port that is taken is for the owner to settle. */
export async function startWebRTC(
  shared: Shared,
  { media, captions }: { readonly media: Media; readonly captions: Captions },
  init: {
    readonly tenancy: Tenancy;
    readonly mcp: () => Mcp | undefined;
    /** Throws while no new viewers are taken, or none of this content. */
    readonly admit: (ref: string) => void;
    readonly denylist: NodeDenylist;
  },
): Promise<WebRTCParts | undefined> {
  const { tenancy, mcp, admit, denylist } = init;
  const { config, log, metrics, events, parts, opened } = shared;
  if (!config.webrtc.enabled) {
    parts.disabled("webrtc", "it is switched off");
    return undefined;
  }
  try {
    const running = await createWebRTCStreamingManager({ ...config.webrtc, host: config.host })({
      media,
      captions,
      events,
      log,
      metrics,
      channels: mcpChannels(mcp),
    });
    opened.push({ name: "webrtc", start: async () => undefined, stop: () => running.stop() });
    shared.live.follow(({ webrtc }) => running.setMaxSessions(webrtc.maxSessions));
    const manager = tenantViewers(running, tenancy, { admit });
    opened.push(
      closing(
        "denylist-viewers",
        denylist.onChange(() => endBlocked(running, denylist)),
      ),
    );
    parts.ready("webrtc", false);
    return {
      manager,
      signalling: createSignallingHandler()({
        manager,
        authoriser: scopeAuthoriser,
        log,
        clock: systemClock,
      }),
    };
  } catch (error) {
    if (isCidcastError(error, "ADDRESS_IN_USE")) throw error;
    log.error({ err: error }, "WebRTC could not start; the node goes on without it");
    parts.failed("webrtc", messageOf(error));
    return undefined;
  }
}

/** Ends viewers of what has come onto a denylist. */
function endBlocked(manager: RunningWebRTC, { list }: NodeDenylist): void {
  for (const session of manager.sessions()) {
    try {
      list.checkRef(session.cid);
    } catch (error) {
      void session.close(messageOf(error));
    }
  }
}

/** MCP over data channels: the viewer's session says who it is. Who came to watch one piece of content gets none. */
function mcpChannels(mcp: () => Mcp | undefined): ChannelDoor {
  return {
    connect({ principal, send, close }) {
      const server = mcp();
      if (server === undefined || principal.capability !== undefined) return undefined;
      return server.connect({
        carrier: "data-channel",
        door: "ws",
        principal,
        send,
        close: (_code, reason) => {
          if (reason !== "") send(mcpRefusal(reason));
          close();
        },
      });
    },
  };
}
