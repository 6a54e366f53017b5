import { CREDIT_TIMEOUT_MS, SEND_PIECE_BYTES } from "../limits.ts";
import type { ByteStream } from "../types.ts";

/** Sends bytes as fast as they are taken, and ends our side. One who takes nothing for a while is left. */
export async function sendAll(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; at += SEND_PIECE_BYTES) {
    await sendPiece(stream, bytes.subarray(at, at + SEND_PIECE_BYTES));
  }
  await stream.close({ signal: AbortSignal.timeout(CREDIT_TIMEOUT_MS) });
}

/** Sends some bytes and waits until more are taken. */
export async function sendPiece(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  if (!stream.send(bytes)) await stream.drained({ signal: AbortSignal.timeout(CREDIT_TIMEOUT_MS) });
}
