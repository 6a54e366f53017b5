import { MAX_RESPONSE_BYTES } from "@cidcast/protocols/content";
import WebSocket, { type RawData } from "ws";
import { CidcastError, messageOf } from "../../core/index.ts";
import { CLOSE_TIMEOUT_MS, OPEN_TIMEOUT_MS } from "../limits.ts";
import { type MessageSocket, messageStream } from "../protocol/message-stream.ts";
import type { ByteStream } from "../types.ts";

/** Statuses that say that the token is the matter. */
const REFUSED: Readonly<Record<number, "UNAUTHENTICATED" | "FORBIDDEN" | "PROTOCOL_UNSUPPORTED">> = {
  401: "UNAUTHENTICATED",
  403: "FORBIDDEN",
  404: "PROTOCOL_UNSUPPORTED",
};

/** Opens a WebSocket that carries the content protocol. `PEER_UNREACHABLE`, `UNAUTHENTICATED`, `PROTOCOL_UNSUPPORTED`. */
export async function openWebSocketStream(source: {
  readonly url: string;
  readonly token?: string | undefined;
}): Promise<ByteStream> {
  const { url, token } = source;
  const opened = Promise.withResolvers<void>();
  const socket = new WebSocket(url, {
    handshakeTimeout: OPEN_TIMEOUT_MS,
    // A message is part of a stream: frames of the protocol may come in one.
    maxPayload: 2 * MAX_RESPONSE_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  });
  socket.once("open", () => opened.resolve());
  socket.once("unexpected-response", (request, response) => {
    const status = response.statusCode ?? 0;
    response.resume();
    request.destroy();
    opened.reject(
      new CidcastError(REFUSED[status] ?? "PEER_UNREACHABLE", `${url} answers with status ${status}`),
    );
  });
  socket.on("error", cause => {
    opened.reject(new CidcastError("PEER_UNREACHABLE", `${url}: ${messageOf(cause)}`, { cause }));
  });
  const { stream, handler } = messageStream(clientSocket(socket), new URL(url).host);
  socket.on("message", (data: RawData, isBinary) => {
    if (isBinary) handler.onBinary(toBuffer(data));
  });
  socket.once("close", code => handler.onClose(code === 1000));
  await opened.promise;
  return stream;
}

function clientSocket(socket: WebSocket): MessageSocket {
  return {
    send(bytes, onSent) {
      if (socket.readyState !== socket.OPEN) return false;
      socket.send(bytes, error => {
        if (error === undefined || error === null) onSent();
      });
      return true;
    },
    bufferedBytes: () => socket.bufferedAmount,
    close(isClean, reason) {
      socket.close(isClean ? 1000 : 1011, reason);
      const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
      timer.unref();
      socket.once("close", () => clearTimeout(timer));
    },
  };
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
