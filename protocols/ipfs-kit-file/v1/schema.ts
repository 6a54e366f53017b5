import { z } from "zod";

/** Bytes of files without blocks, as clients of this family ask for them. See spec.md beside this file. */

/** Names of the protocols on libp2p. */
export const FILE_PROTOCOL = "/ipfs-kit/file/1.0.0";
export const PLAIN_TRANSFER_PROTOCOL = "/ipfs-kit/transfer/1.0.0";
/** Largest request, bytes of JSON. */
export const MAX_FILE_REQUEST_BYTES = 16 * 1024;
/** Bytes of a file handed to the stream at once. */
export const FILE_PIECE_BYTES = 64 * 1024;

const cid = z.string().min(1).max(512);
const label = z.string().max(4096);
const offset = z.int().min(0);

/** A request of `/ipfs-kit/file/1.0.0`. */
export const fileRequest = z.object({
  cid,
  /** Bytes [start, end); null or left out: all, or to the end. */
  range: z.object({ start: offset.nullish(), end: offset.nullish() }).nullish(),
  requester: label.nullish(),
  timestamp: z.number().nullish(),
  request_id: label.nullish(),
});

/** The answer instead of bytes. */
export const fileError = z.object({ error: z.enum(["Content not found", "Invalid request"]) });

/** The header of a request of `/ipfs-kit/transfer/1.0.0`. */
export const plainTransferRequest = z.object({
  type: z.literal("request"),
  request_id: label,
  peer_id: label.nullish(),
  cid,
  offset: offset.default(0),
  /** Bytes wanted; −1: to the end. */
  length: z.int().min(-1).default(-1),
  timestamp: z.number().nullish(),
});

/** The header of its answer; the bytes follow it at once. */
export const plainTransferReply = z.object({
  success: z.boolean(),
  request_id: label,
  cid: z.string(),
  /** Bytes of the whole file. */
  size: z.int().min(0).optional(),
  /** Bytes that follow. */
  length: z.int().min(0).optional(),
  timestamp: z.number(),
  error: z.string().optional(),
});
