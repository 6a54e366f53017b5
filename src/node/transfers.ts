import { carEntry, carHeader, type ContentService } from "../content/index.ts";
import { systemClock } from "../core/index.ts";
import { callPeer, type Peer } from "../p2p/index.ts";
import type { Database } from "../store/index.ts";
import {
  type ByteStream,
  CONTENT_SOCKET_PATH,
  createTransfers,
  type PushComponents,
  serveContentSocket,
  type TransferContent,
  type Transfers,
} from "../transfer/index.ts";
import { createSecretBox } from "../tenancy/index.ts";
import type { SocketRoute } from "../ws/index.ts";
import type { Shared } from "./shared.ts";

/** Close code for who may not be here (RFC 6455 section 7.4.1). */
const CLOSE_POLICY = 1008;

/** Opens transfers; a node that serves goes on with what was under way when it ended. */
export async function startTransfers(
  shared: Shared,
  parts: {
    readonly content: ContentService;
    readonly database: Database;
    readonly peer: Peer | undefined;
    readonly serve: boolean;
    /** Where others reach our doors; undefined: nowhere. */
    readonly ownUrl: () => string | undefined;
    /** The node's own key. */
    readonly signingKey: string;
  },
): Promise<Transfers> {
  const { config, log, metrics, events, opened } = shared;
  const { content, database, peer, serve } = parts;
  const transfers = createTransfers({
    stallTimeoutMs: config.transfer.stallTimeoutMs,
    maxRunning: config.transfer.maxRunning,
  })({
    content: verifiedContent(content),
    peer,
    reputation: peer?.reputation,
    tokens: createSecretBox([Buffer.from(parts.signingKey)]),
    push: pushing(content, peer, () => (config.token === undefined ? parts.ownUrl() : undefined)),
    database,
    events,
    metrics,
    clock: systemClock,
    log,
  });
  opened.push(transfers);
  if (serve) await transfers.start();
  return transfers;
}

/** Content as transfers use it: what they store they have checked themselves. */
function verifiedContent(content: ContentService): TransferContent {
  const { blocks } = content;
  return {
    allow: cid => blocks.allow(cid),
    blocks: {
      has: cid => blocks.has(cid),
      get: cid => blocks.get(cid),
      put: (cid, bytes) => blocks.keep(cid, bytes),
      lend: (cid, bytes) => blocks.lend(cid, bytes),
    },
    hold: cid => content.hold(cid),
    guard: () => content.guard(),
    pin: (cid, options) => content.pin(cid, options),
  };
}

/** What brings content from here to others. */
function pushing(
  content: ContentService,
  peer: Peer | undefined,
  ownUrl: () => string | undefined,
): Omit<PushComponents, "clock"> {
  return {
    askPeer:
      peer === undefined
        ? undefined
        : async ({ peerId, addresses }, { cid, token }, options) => {
            const request = { action: "transfer", cid, ...(token !== undefined && { token }) } as const;
            const reply = await callPeer(peer, peerId, request, {
              ...options,
              ...(addresses && { addresses }),
            });
            return "result" in reply ? reply.result : {};
          },
    ownSources: () => peer?.multiaddrs ?? [],
    ownUrl,
    async *car(cid, options) {
      const dag = await content.dag(cid, options);
      yield carHeader([dag.end]);
      for await (const block of dag.blocks) yield Buffer.concat(carEntry(block));
    },
  };
}

/** The content protocol on WebSockets. Tenants read their content by other doors: blocks say nothing of whose they are. */
export function contentSocket(shared: Shared, serve: (stream: ByteStream) => Promise<void>): SocketRoute {
  return {
    path: CONTENT_SOCKET_PATH,
    action: "content:read",
    connect(context) {
      if (context.principal.tenantId !== undefined) {
        context.close(CLOSE_POLICY, "a tenant's token reads content at /ipfs and over MCP");
        return { onText: () => undefined, onClose: () => undefined };
      }
      const handler = serveContentSocket(context, {
        serve,
        name: context.remoteAddress ?? "a client",
        onError: error => shared.log.warn({ err: error }, "a content socket broke"),
      });
      return {
        onText: () => context.close(CLOSE_POLICY, "the content protocol is binary"),
        onBinary: bytes => handler.onBinary(bytes),
        onDrain: () => handler.onDrain(),
        onClose: reason => handler.onClose(reason.startsWith("client closed: 1000")),
      };
    },
  };
}
