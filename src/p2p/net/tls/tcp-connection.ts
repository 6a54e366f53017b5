import { Socket } from "node:net";
import type { MessageStream } from "@libp2p/interface";

/** A connection of @libp2p/tcp 11, with the members that its type hides. */
export interface TcpConnection extends MessageStream {
  readonly socket: Socket;
  /** What was read and not yet taken. */
  readonly readBuffer: {
    readonly byteLength: number;
    subarray(): Uint8Array;
    consume(bytes: number): void;
  };
  onTransportClosed(error?: Error): void;
  sendReset(error?: Error): void;
  sendPause(): void;
  sendResume(): void;
  sendClose(): Promise<void>;
}

/** True for a TCP connection whose socket can be handed to `node:tls`. */
export function isTcpConnection(connection: MessageStream): connection is TcpConnection {
  const { socket, readBuffer, onTransportClosed, sendReset, sendPause, sendResume, sendClose } =
    connection as Partial<TcpConnection>;
  return (
    socket instanceof Socket &&
    !socket.destroyed &&
    typeof readBuffer?.consume === "function" &&
    [onTransportClosed, sendReset, sendPause, sendResume, sendClose].every(
      member => typeof member === "function",
    )
  );
}

/**
 * Takes the socket away from the connection object, with what it has read already. From here on the object must not
 * touch the socket's handle: Node ends with a segmentation fault when it is reset or shut down under a live TLS wrap.
 */
export function takeSocket(connection: TcpConnection, tls: () => Socket): Socket {
  const { socket, readBuffer } = connection;
  for (const event of ["data", "drain", "end"]) socket.removeAllListeners(event);
  socket.pause();
  // Reads no longer pass through this object, so its own idea of inactivity would end a busy connection.
  socket.setTimeout(0);
  if (readBuffer.byteLength > 0) {
    socket.unshift(Buffer.from(readBuffer.subarray()));
    readBuffer.consume(readBuffer.byteLength);
  }
  connection.sendReset = () => {
    tls().destroy();
    socket.destroy();
  };
  connection.sendPause = () => undefined;
  connection.sendResume = () => undefined;
  connection.sendClose = async () => {
    const secured = tls();
    if (secured.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    secured.once("close", resolve);
    secured.destroySoon();
    await promise;
  };
  return socket;
}
