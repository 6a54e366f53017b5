import { constants, deflateRawSync } from "node:zlib";
import type { ServerOptions, WebSocket } from "ws";
import { compressedFrame } from "../notify/index.ts";

/** Messages from this size on are compressed, bytes: below it the work costs more than it saves. */
const COMPRESSION_MIN_BYTES = 1024;
/** Size of the window of both sides, as a power of two: 4 KiB hold the repetitions of such messages. */
const WINDOW_BITS = 12;
/** zlib's fastest: three times as fast as its default, for a tenth more bytes. */
const LEVEL = 1;
/** What a flush leaves at the end, and the protocol leaves out. RFC 7692, 7.2.1. */
const FLUSH_TAIL_BYTES = 4;

/**
 * permessage-deflate (RFC 7692) in bounded memory: no message depends on one before it, so that nothing is kept per
 * connection for sending, and a window of 4 KiB for reading. A client that cannot do with such a window goes uncompressed.
 */
export const COMPRESSION: NonNullable<Exclude<ServerOptions["perMessageDeflate"], boolean>> = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: WINDOW_BITS,
  clientMaxWindowBits: WINDOW_BITS,
  zlibInflateOptions: { chunkSize: 4096 },
  concurrencyLimit: 8,
};

/** The windows that an offer speaks of, with their size where it names one. RFC 7692, 7.1.2. */
const WINDOW_PARAMETERS = /(client|server)_max_window_bits(?:="?(\d+)"?)?/g;

/**
 * True where the windows above are within what the client offers. The library refuses the handshake of any other; without
 * the offer it is taken uncompressed.
 */
export function windowsFit(offer: string): boolean {
  const windows = [...offer.matchAll(WINDOW_PARAMETERS)];
  if (windows.some(([, , bits]) => bits !== undefined && Number(bits) < WINDOW_BITS)) return false;
  return windows.some(([, side]) => side === "client");
}

/** True where the client reads compressed messages. */
export function mayCompress(socket: WebSocket): boolean {
  return socket.extensions === "permessage-deflate";
}

/** The frame of a text message that is worth compressing; undefined for others. */
export function compressed(text: string): Buffer | undefined {
  if (text.length < COMPRESSION_MIN_BYTES) return undefined;
  const packed = deflateRawSync(text, {
    level: LEVEL,
    windowBits: WINDOW_BITS,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  if (packed.length >= text.length) return undefined;
  return compressedFrame(packed.subarray(0, packed.length - FLUSH_TAIL_BYTES));
}
