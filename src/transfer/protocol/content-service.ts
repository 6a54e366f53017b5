import { CONTENT_PROTOCOL, encodeFrame } from "@cidcast/protocols/content";
import type { Clock, Logger } from "../../core/index.ts";
import { MAX_CONTENT_STREAMS_PER_PEER, MAX_SERVED_STREAMS } from "../limits.ts";
import type { TransferMetrics } from "../metrics.ts";
import type { ByteStream, TransferBlocks } from "../types.ts";
import { sendContent } from "./content-sender.ts";

/** What is needed of the libp2p peer: joined in node.ts. */
export interface ProtocolHost {
  registerProtocolHandler(
    protocol: string,
    handler: (stream: ByteStream) => Promise<void>,
    options?: { readonly maxInboundStreams?: number },
  ): Promise<() => Promise<void>>;
}

export interface ContentServiceComponents {
  readonly peer: ProtocolHost;
  readonly blocks: TransferBlocks;
  readonly metrics: TransferMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Serves our blocks by the content protocol over libp2p; gives what ends it. */
export function serveContent(components: ContentServiceComponents): Promise<() => Promise<void>> {
  let serving = 0;
  return components.peer.registerProtocolHandler(
    CONTENT_PROTOCOL,
    async stream => {
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
    },
    { maxInboundStreams: MAX_CONTENT_STREAMS_PER_PEER },
  );
}
