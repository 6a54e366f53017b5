import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import {
  EventBus,
  noMetrics,
  ownerPrincipal,
  scopeAuthoriser,
  silentLogger,
  systemClock,
} from "../../src/core/index.ts";
import type { Media, MediaEvents } from "../../src/media/index.ts";
import { createMedia } from "../../src/media/index.ts";
import { memoryContent } from "../../src/media/testing/memory-content.ts";
import {
  createSignallingHandler,
  createWebRTCStreamingManager,
  type RunningWebRTC,
  type WebRTCEvents,
  type WebRTCStreamingManagerInit,
} from "../../src/webrtc/index.ts";

const SAMPLE = new URL("../../samples/sample-720p.mp4", import.meta.url);

/** The CID under which the sample is served. */
export const SAMPLE_CID = "sample";

export interface SignallingServer extends AsyncDisposable {
  /** Signalling that says nothing first. */
  readonly url: string;
  /** The page given, on the same origin. */
  readonly pageUrl: string;
  readonly manager: RunningWebRTC;
  readonly events: EventBus<WebRTCEvents>;
}

export interface SignallingServerInit {
  readonly webrtc?: Partial<WebRTCStreamingManagerInit>;
  readonly media?: Pick<Media, "open">;
  /** HTML served at `/`. */
  readonly page?: string;
  readonly port?: number;
}

/** Manager and signalling on a socket of their own: the part of a node that a viewer of media meets. */
export async function startSignallingServer(init: SignallingServerInit = {}): Promise<SignallingServer> {
  const log = silentLogger;
  const events = new EventBus<WebRTCEvents>(log);
  const media = init.media ?? (await sampleMedia());
  const manager = await createWebRTCStreamingManager({ host: "127.0.0.1", udpPort: 0, ...init.webrtc })({
    media,
    events,
    log,
    metrics: noMetrics,
  });
  const signalling = createSignallingHandler()({
    manager,
    authoriser: scopeAuthoriser,
    log,
    clock: systemClock,
  });
  const http = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end(init.page ?? "");
  });
  const sockets = new WebSocketServer({ server: http, maxPayload: 1024 * 1024 });
  sockets.on("connection", socket => {
    const connection = signalling.connect({
      greeting: "silent",
      principal: ownerPrincipal,
      send: text => {
        if (socket.readyState !== socket.OPEN) return false;
        socket.send(text);
        return true;
      },
    });
    socket.on("message", data => {
      // ws hands over one Buffer per message unless it is told otherwise.
      void connection.receive(Buffer.isBuffer(data) ? data.toString() : "");
    });
    socket.on("close", () => void connection.close("socket closed"));
  });
  const port = await listen(http, init.port ?? 0);
  return {
    url: `ws://127.0.0.1:${port}/webrtc`,
    pageUrl: `http://127.0.0.1:${port}/`,
    manager,
    events,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      await manager.stop();
      const { promise, resolve } = Promise.withResolvers<void>();
      http.close(() => resolve());
      http.closeAllConnections();
      await promise;
    },
  };
}

async function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(port, "127.0.0.1", resolve);
  await promise;
  return (server.address() as AddressInfo).port;
}

async function sampleMedia(): Promise<Pick<Media, "open">> {
  return mediaOf({ [SAMPLE_CID]: await readFile(SAMPLE) });
}

/** Media of files in memory, by CID. */
export async function mediaOf(files: Readonly<Record<string, Buffer>>): Promise<Pick<Media, "open">> {
  const media = createMedia({})({
    content: memoryContent(files),
    log: silentLogger,
    metrics: noMetrics,
    events: new EventBus<MediaEvents>(silentLogger),
    clock: systemClock,
  });
  await media.start();
  return media;
}
