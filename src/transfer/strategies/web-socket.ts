import type { TransferStrategy } from "../types.ts";
import { StreamStrategy, type StreamStrategyComponents, type StreamStrategyInit } from "./stream.ts";
import { openWebSocketStream } from "./web-socket-stream.ts";

/** A node whose `/ws/content` is asked. */
export interface WebSocketSource {
  /** `ws://` or `wss://`. */
  readonly url: string;
  /** The node's token. Sent in a header. */
  readonly token?: string | undefined;
}

/** Fetches by the content protocol over a WebSocket. */
export function createWebSocketStrategy(
  init: StreamStrategyInit = {},
): (components: StreamStrategyComponents) => TransferStrategy<WebSocketSource> {
  return components =>
    new StreamStrategy(
      { name: "websocket", keyOf: source => source.url, open: source => openWebSocketStream(source) },
      init,
      components,
    );
}
