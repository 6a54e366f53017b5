import { CONTENT_PROTOCOL, encodeFrame } from "@cidcast/protocols/content";
import type { Clock, Logger } from "../../core/index.ts";
import { MAX_CONTENT_STREAMS_PER_PEER, MAX_SERVED_STREAMS } from "../limits.ts";
import type { TransferMetrics } from "../metrics.ts";
import type { ByteStream, TransferBlocks } from "../types.ts";
import { sendContent } from "./content-sender.ts";
import { type MessageHandler, messageStream } from "./message-stream.ts";

/** What is needed of the libp2p peer: joined in node.ts. */
export interface ProtocolHost {
  registerProtocolHandler(
    protocol: string,
    handler: (stream: ByteStream) => Promise<void>,
    options?: { readonly maxInboundStreams?: number; readonly runOnLimitedConnection?: boolean },
  ): Promise<() => Promise<void>>;
}

export interface ContentServiceComponents {
  readonly peer: ProtocolHost;
  readonly blocks: TransferBlocks;
  readonly metrics: TransferMetrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** Answers the streams; default: one that counts them for itself. */
  readonly serve?: (stream: ByteStream) => Promise<void>;
}

/** Answers streams of the content protocol, whatever carries them; those beyond the most at a time are told `BUSY`. */
export function createContentServer(
  components: Omit<ContentServiceComponents, "peer" | "serve">,
): (stream: ByteStream) => Promise<void> {
  let serving = 0;
  return async stream => {
    if (serving >= MAX_SERVED_STREAMS) {
      components.metrics.limits.add(1, { limit: "served_streams" });
      stream.send(
        encodeFrame({ type: "error", id: 0, code: "BUSY", message: "Too many streams are served" }),
      );
      await stream.close();
      return;
    }
    components.metrics.servedStreams.set(++serving);
    try {
      await sendContent(stream, components);
    } finally {
      components.metrics.servedStreams.set(--serving);
    }
  };
}

/** Serves our blocks by the content protocol over libp2p; gives what ends it. */
export function serveContent(components: ContentServiceComponents): Promise<() => Promise<void>> {
  const serve = components.serve ?? createContentServer(components);
  return components.peer.registerProtocolHandler(CONTENT_PROTOCOL, serve, {
    maxInboundStreams: MAX_CONTENT_STREAMS_PER_PEER,
    // A relay's limit cuts the stream, and the receiver goes on over the next connection.
    runOnLimitedConnection: true,
  });
}

/** A WebSocket as its path's handler gets it. */
export interface ContentSocket {
  send(bytes: Uint8Array): boolean;
  bufferedBytes(): number;
  close(code: number, reason: string): void;
}

/** Serves one WebSocket; gives what the socket is to call. */
export function serveContentSocket(
  socket: ContentSocket,
  init: {
    readonly serve: (stream: ByteStream) => Promise<void>;
    readonly name: string;
    readonly onError: (error: unknown) => void;
  },
): MessageHandler {
  const { stream, handler } = messageStream(
    {
      send: bytes => socket.send(bytes),
      bufferedBytes: () => socket.bufferedBytes(),
      close: (isClean, reason) => socket.close(isClean ? 1000 : 1011, reason),
    },
    init.name,
  );
  init.serve(stream).catch(init.onError);
  return handler;
}
