import { type ClientError, toClientError } from "../client-error.ts";
import { type NotificationItem, subscribeToNotifications } from "../notifications/subscription.ts";
import type { NodeAddress } from "../socket-url.ts";
import { type ContentMetadata, readMetadata } from "./metadata-socket.ts";
import type { RtcConnection } from "./rtc.ts";
import { type ContentStream, type StreamInit, streamContent } from "./stream-content.ts";

export interface StreamWithMetadataInit<C extends RtcConnection = RtcConnection> extends StreamInit<C> {
  /** Hears what happens to the content meanwhile. */
  readonly onUpdate?: (item: NotificationItem) => void;
}

/** A stream and what is told of its content beside it. */
export interface StreamWithMetadata<C extends RtcConnection = RtcConnection> extends Disposable {
  readonly stream: ContentStream<C>;
  readonly metadata: ContentMetadata;
  /** Resolves when it is over: with the error that ended it, or undefined after {@link close}. */
  readonly closed: Promise<ClientError | undefined>;
  close(): void;
}

/**
 * Streams content over WebRTC and gets its metadata over WebSockets, both begun at once. Resolves when both are up; when one
 * fails, now or later, the other is ended with it.
 */
export async function streamWithMetadata<C extends RtcConnection = RtcConnection>(
  node: NodeAddress,
  cid: string,
  init: StreamWithMetadataInit<C>,
): Promise<StreamWithMetadata<C>> {
  const { onUpdate, ...rest } = init;
  const scope = new AbortController();
  const signal = init.signal === undefined ? scope.signal : AbortSignal.any([init.signal, scope.signal]);
  const over = Promise.withResolvers<ClientError | undefined>();
  const end = (error: ClientError | undefined): void => {
    over.resolve(error);
    scope.abort(error);
  };
  const updates = subscribeToNotifications(node, { filters: { cid }, signal }, onUpdate ?? (() => undefined));
  const streaming = streamContent(node, cid, { ...rest, signal });
  const parts = [streaming, readMetadata(node, cid, signal), updates.ready] as const;
  // The first that fails ends the others, which may still be opening something.
  for (const part of parts) part.catch((error: unknown) => end(toClientError(error)));
  try {
    const [stream, metadata] = await Promise.all(parts);
    stream.on("close", end);
    return {
      stream,
      metadata,
      closed: over.promise,
      close: () => end(undefined),
      [Symbol.dispose]: () => end(undefined),
    };
  } catch (error) {
    await Promise.allSettled(parts);
    const stream = await streaming.catch(() => undefined);
    stream?.close();
    throw toClientError(error);
  } finally {
    void over.promise.then(() => updates.close());
  }
}
