import { CidcastError } from "../../../core/index.ts";

/**
 * Most bytes of one RTP payload. With the RTP header, its extensions, the RTX number, the SRTP tag, UDP and IP it stays
 * under 1280 bytes, which every IPv6 path carries. @see https://www.rfc-editor.org/rfc/rfc8200#section-5
 */
export const MAX_PAYLOAD_BYTES = 1180;

/** Collects the RTP payloads of a frame. */
export type PayloadSink = (payload: Buffer) => void;

/** Cuts one encoded frame into RTP payloads; the last one of a frame gets the marker. */
export type Packetiser = (frame: Buffer, isKey: boolean, push: PayloadSink) => void;

/** Number of payloads and bytes of each (the last may be shorter) when `length` bytes are cut into equal parts. */
export function evenParts(
  length: number,
  maxBytes: number,
): { readonly count: number; readonly size: number } {
  const count = Math.max(1, Math.ceil(length / maxBytes));
  return { count, size: Math.ceil(length / count) };
}

/** The error of a frame that does not have the form its codec asks for. */
export function corruptFrame(codec: string, what: string): CidcastError {
  return new CidcastError("CORRUPT_MEDIA", `a ${codec} frame cannot be sent: ${what}`);
}
