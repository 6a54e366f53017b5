import { type AbortOptions, CidcastError, raceSignal } from "../../core/index.ts";
import { MESSAGE_BYTES, MESSAGE_QUEUED_BYTES } from "../limits.ts";
import type { ByteStream } from "../types.ts";

type Consumer = Parameters<ByteStream["consume"]>[0];

/** Longest reason of a close frame that is sent, characters. */
const MAX_REASON_LENGTH = 100;

/** A socket that carries messages of bytes, whichever end of it this is. */
export interface MessageSocket {
  /** False when it is closed. `onSent` is called once the bytes are with the system, where the socket tells that. */
  send(bytes: Uint8Array, onSent: () => void): boolean;
  bufferedBytes(): number;
  close(isClean: boolean, reason: string): void;
}

/** What the socket is to call. */
export interface MessageHandler {
  onBinary(bytes: Uint8Array): void;
  /** There may be room again. */
  onDrain(): void;
  /** `isClean`: the other side has ended in good order. */
  onClose(isClean: boolean): void;
}

/** A stream of bytes over messages. The borders of messages mean nothing; closing ends both directions. */
export function messageStream(
  socket: MessageSocket,
  name: string,
): { readonly stream: ByteStream; readonly handler: MessageHandler } {
  let consumer: Consumer | undefined;
  const early: Uint8Array[] = [];
  let closing = false;
  let gone: { readonly error: Error | undefined } | undefined;
  let waiting: PromiseWithResolvers<void> | undefined;

  const wake = (): void => {
    waiting?.resolve();
    waiting = undefined;
  };
  const tellGone = (): void => {
    if (consumer === undefined || gone === undefined) return;
    if (gone.error === undefined) consumer.onEnd?.();
    consumer.onClose?.(gone.error);
  };
  const end = (error: Error | undefined): void => {
    if (gone !== undefined) return;
    gone = { error };
    wake();
    tellGone();
  };
  const handler: MessageHandler = {
    onBinary(bytes) {
      if (gone !== undefined) return;
      if (consumer === undefined) early.push(bytes);
      else consumer.onData(bytes);
    },
    onDrain: wake,
    onClose: isClean =>
      end(isClean || closing ? undefined : new CidcastError("PEER_UNREACHABLE", "The socket was cut off")),
  };
  const stream: ByteStream = {
    peerId: name,
    send(bytes) {
      if (closing || gone !== undefined) throw new CidcastError("PEER_UNREACHABLE", "The socket is closed");
      for (let at = 0; at < bytes.byteLength; at += MESSAGE_BYTES) {
        if (!socket.send(bytes.subarray(at, at + MESSAGE_BYTES), wake)) {
          end(new CidcastError("PEER_UNREACHABLE", "The socket is closed"));
          return false;
        }
      }
      return socket.bufferedBytes() <= MESSAGE_QUEUED_BYTES;
    },
    async drained(options: AbortOptions = {}) {
      const isGone = (): boolean => gone !== undefined;
      while (!isGone() && socket.bufferedBytes() > MESSAGE_QUEUED_BYTES) {
        waiting ??= Promise.withResolvers<void>();
        await raceSignal(waiting.promise, options.signal);
      }
      if (isGone()) throw new CidcastError("PEER_UNREACHABLE", "The socket was cut off");
    },
    consume(next) {
      consumer = next;
      for (const bytes of early.splice(0)) next.onData(bytes);
      tellGone();
    },
    async close() {
      if (closing || gone !== undefined) return;
      closing = true;
      socket.close(true, "");
    },
    abort(error) {
      if (gone !== undefined) return;
      end(error);
      socket.close(false, error.message.slice(0, MAX_REASON_LENGTH).toWellFormed());
    },
  };
  return { stream, handler };
}
