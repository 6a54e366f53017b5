import type { Stream } from "@libp2p/interface";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import { MAX_QUEUED_BYTES } from "../limits.ts";

/** Who hears what arrives on a stream. Every stream has one consumer. */
export interface StreamConsumer {
  /** Bytes as they came; their borders mean nothing. The consumer owns the buffer. */
  onData(chunk: Uint8Array): void;
  /** The other side has said that it sends nothing more; it may still read. */
  onEnd?(): void;
  /** The stream is gone: with an error when it was cut off before the other side's end. Called once. */
  onClose?(error?: Error): void;
}

/** A stream of bytes both ways: the same shape over libp2p and over other transports. */
export interface PeerStream {
  readonly protocol: string;
  /** PeerId of the other side, proven by the handshake. */
  readonly peerId: string;
  /** Queues bytes; false asks the caller to await {@link drained} before sending more. Throws once our side is closed. */
  send(bytes: Uint8Array): boolean;
  /** Resolves when the transport takes bytes again; rejects when the stream is gone. */
  drained(options?: AbortOptions): Promise<void>;
  /** Starts delivery, with what has arrived before. */
  consume(consumer: StreamConsumer): void;
  /** Sends what is queued, then ends our side; the other side may go on. */
  close(options?: AbortOptions): Promise<void>;
  /** Ends both sides at once. */
  abort(error: Error): void;
}

/**
 * A libp2p stream as a {@link PeerStream}. libp2p also says "end" of a stream that was reset, or whose connection is gone:
 * here an end is only what the other side has declared, so that half an answer never passes for a whole one.
 */
export function peerStream(stream: Stream, peerId: string): PeerStream {
  let endedByPeer = stream.remoteWriteStatus === "closed" && stream.status === "open";
  stream.addEventListener("remoteCloseWrite", () => {
    endedByPeer = true;
  });
  return {
    protocol: stream.protocol,
    peerId,
    send: bytes => stream.send(bytes),
    drained: options => drained(stream, options),
    consume: consumer => deliver(stream, consumer, () => endedByPeer),
    close: options => stream.close(options?.signal === undefined ? {} : { signal: options.signal }),
    abort: error => stream.abort(error),
  };
}

/**
 * Waits until little is queued. libp2p's own wait ends whenever the connection takes bytes again, also for a stream whose
 * window is used up: a sender that trusted it would queue without bound.
 */
async function drained(stream: Stream, options: AbortOptions = {}): Promise<void> {
  while (isOpen(stream)) {
    await stream.onDrain(options.signal === undefined ? {} : { signal: options.signal });
    if (stream.writeBufferLength <= MAX_QUEUED_BYTES) return;
    await new Promise(resolve => setImmediate(resolve));
  }
  throw new CidcastError("PEER_UNREACHABLE", "The stream was cut off");
}

function isOpen(stream: Stream): boolean {
  return stream.status === "open" || stream.status === "closing";
}

function deliver(stream: Stream, consumer: StreamConsumer, endedByPeer: () => boolean): void {
  let closed = false;
  let ended = false;
  const broken = (): boolean => stream.status === "aborted" || stream.status === "reset";
  const end = (): void => {
    if (ended || broken() || !endedByPeer()) return;
    ended = true;
    consumer.onEnd?.();
  };
  const close = (cause?: Error): void => {
    if (closed) return;
    closed = true;
    if (ended && cause === undefined) consumer.onClose?.();
    else consumer.onClose?.(new CidcastError("PEER_UNREACHABLE", "The stream was cut off", { cause }));
  };
  // `end` comes after the last byte was delivered, unlike `remoteCloseWrite`.
  stream.addEventListener("end", end);
  stream.addEventListener("close", event => close(event.error));
  stream.addEventListener("message", event => {
    if (event.data instanceof Uint8Array) consumer.onData(event.data);
    else for (const chunk of event.data) consumer.onData(chunk);
  });
  // What came and went before anybody listened; buffered bytes are delivered in an earlier microtask.
  queueMicrotask(() => {
    if (stream.readableEnded) end();
    if (stream.status === "closed" || broken()) close();
  });
}
