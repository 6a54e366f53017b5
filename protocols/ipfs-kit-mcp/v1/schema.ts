import { z } from "zod";
import { type ErrorCode, isErrorCode } from "../../errors.ts";

/** Actions asked of a peer by one JSON object on a stream of its own. See spec.md beside this file. */

/** Name of the protocol on libp2p. */
export const REMOTE_ACTION_PROTOCOL = "/ipfs-kit/mcp/1.0.0";
/** Largest request, bytes of JSON. */
export const MAX_REQUEST_BYTES = 64 * 1024;
/** Largest reply, bytes of JSON: what clients of this protocol read. */
export const MAX_REPLY_BYTES = 10 * 1024 * 1024;
/** Longest text of a CID, characters. */
export const MAX_CID_LENGTH = 512;
/** Longest name of a pin, characters. */
export const MAX_NAME_LENGTH = 255;
/** Most records in one reply. */
export const MAX_LIST_LIMIT = 1000;
/** Longest token or request id, characters. */
export const MAX_TOKEN_LENGTH = 4096;

const cid = z.string().min(1).max(MAX_CID_LENGTH);
const common = {
  /** Given back in the reply. */
  request_id: z.string().max(MAX_TOKEN_LENGTH).optional(),
  /** Lets a peer that is not granted anything act. */
  token: z.string().max(MAX_TOKEN_LENGTH).optional(),
};

/** What may be asked. Fields that are not known are passed over. */
export const remoteRequest = z.discriminatedUnion("action", [
  z.object({
    ...common,
    action: z.literal("get_content"),
    cid,
    /** First byte; default 0. */
    offset: z.int().min(0).optional(),
    /** Bytes wanted; default all. */
    length: z.int().min(0).optional(),
  }),
  z.object({ ...common, action: z.literal("stat"), cid }),
  z.object({ ...common, action: z.literal("pin"), cid, name: z.string().max(MAX_NAME_LENGTH).optional() }),
  z.object({ ...common, action: z.literal("unpin"), cid, name: z.string().max(MAX_NAME_LENGTH).optional() }),
  z.object({
    ...common,
    action: z.literal("list"),
    limit: z.int().min(1).max(MAX_LIST_LIMIT).optional(),
    offset: z.int().min(0).optional(),
  }),
  z.object({ ...common, action: z.literal("providers"), cid }),
  z.object({
    ...common,
    action: z.literal("transfer"),
    cid,
    /** PeerId that the content is fetched from; default the peer that asks. */
    source: z.string().max(MAX_CID_LENGTH).optional(),
  }),
  z.object({ ...common, action: z.literal("health") }),
]);

export type RemoteRequest = z.infer<typeof remoteRequest>;
export type RemoteAction = RemoteRequest["action"];

const success = { success: z.literal(true), request_id: z.string().optional() };

/** Reply of `get_content`: the bytes, or where to get them when the reply would be too large. */
export const contentReply = z.object({
  ...success,
  action: z.literal("get_content"),
  cid,
  /** Bytes of the whole content. */
  size: z.int().min(0),
  content_type: z.string(),
  offset: z.int().min(0),
  /** Base64; null when the reply would be larger than {@link MAX_REPLY_BYTES}. */
  content: z.string().nullable(),
  encoding: z.literal("base64"),
  /** Where content is null: the protocol that brings it, and the peer that speaks it. */
  protocol: z.string().optional(),
  peer_id: z.string().optional(),
});

/** Reply of every other action: its result is what the action says. */
export const resultReply = z.object({
  ...success,
  action: z.enum(["stat", "pin", "unpin", "list", "providers", "transfer", "health"]),
  result: z.record(z.string(), z.unknown()),
});

export const errorReply = z.object({
  success: z.literal(false),
  request_id: z.string().optional(),
  code: z.custom<ErrorCode>(isErrorCode, "is not a code of protocols/errors.ts"),
  /** For people. */
  error: z.string(),
});

export const remoteReply = z.union([contentReply, resultReply, errorReply]);

export type ContentReply = z.infer<typeof contentReply>;
export type ResultReply = z.infer<typeof resultReply>;
export type ErrorReply = z.infer<typeof errorReply>;
export type RemoteReply = z.infer<typeof remoteReply>;
