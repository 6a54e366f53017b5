import { z } from "zod";
import { type ErrorCode, isErrorCode } from "../../errors.ts";

/** Signed, versioned records of what content is, asked for and given by JSON. See spec.md beside this file. */

/** Name of the protocol on libp2p. */
export const METADATA_PROTOCOL = "/ipfs-kit/metadata/1.0.0";
/** What is signed: these bytes (UTF-8), then the bytes of the payload. */
export const METADATA_SIGNATURE_PREFIX = "cidcast metadata v1:";
/** Largest payload of a record, bytes of JSON. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
/** Largest request, bytes of JSON: a record in base64 and what is around it. */
export const MAX_METADATA_REQUEST_BYTES = 128 * 1024;
/** Largest reply, bytes of JSON. */
export const MAX_METADATA_REPLY_BYTES = 10 * 1024 * 1024;
/** Most records in one reply: one of each author. */
export const MAX_RECORDS_PER_REPLY = 64;
/** Longest text of a CID or PeerId, characters. */
export const MAX_ID_LENGTH = 512;

const MAX_TOKEN_LENGTH = 4096;
const id = z.string().min(1).max(MAX_ID_LENGTH);
const base64 = (maxBytes: number) => z.base64().max(Math.ceil(maxBytes / 3) * 4);

/** What a record says. Fields that are not known are kept as they are: readers pass the payload on unchanged. */
export const metadataPayload = z.looseObject({
  kind: z.enum(["content", "manifest"]),
  /** What it is about: content, or a media manifest. */
  cid: id,
  /** PeerId whose key signs. */
  author: id,
  /** 1, 2, 3 …, each by one more than the one it replaces. */
  version: z.int().min(1),
  /** Id of the record that this one replaces; null for the first. */
  replaces: id.nullable(),
  /** When it was written, ISO 8601; for people. */
  updated_at: z.string().max(64).optional(),
  name: z.string().max(1024).optional(),
  size: z.int().min(0).optional(),
  content_type: z.string().max(255).optional(),
  /** Root of a media manifest made from the content. */
  manifest: id.optional(),
});
export type MetadataPayload = z.output<typeof metadataPayload>;

/** A record as it travels: the very bytes that were signed, so that nothing in them is lost or changed on the way. */
export const signedRecord = z.object({
  /** JSON of a {@link metadataPayload}, base64. */
  payload: base64(MAX_PAYLOAD_BYTES),
  /** Public key of the author in libp2p's protobuf, base64. */
  public_key: base64(1024),
  /** Signature over the prefix and the payload's bytes, base64. */
  signature: base64(1024),
});
export type SignedRecord = z.output<typeof signedRecord>;

const common = { request_id: z.string().max(MAX_TOKEN_LENGTH).optional() };

/** What may be asked. Fields that are not known are passed over. */
export const metadataRequest = z.discriminatedUnion("action", [
  z.object({ ...common, action: z.literal("info") }),
  z.object({
    ...common,
    action: z.literal("query"),
    cid: id,
    /** Only the record of this author. */
    author: id.optional(),
  }),
  z.object({
    ...common,
    action: z.literal("update"),
    record: signedRecord,
    /** Lets a peer that is not granted anything act. */
    token: z.string().max(MAX_TOKEN_LENGTH).optional(),
  }),
]);
export type MetadataRequest = z.output<typeof metadataRequest>;

const success = { success: z.literal(true), request_id: z.string().optional() };

/** Who answers, in the words of clients of this family; also the answer to a stream that ends without a request. */
export const infoReply = z.object({
  ...success,
  action: z.literal("info"),
  peer_id: id,
  agent_version: z.string(),
  protocols: z.array(z.string()),
  capabilities: z.array(z.string()),
});
export const queryReply = z.object({
  ...success,
  action: z.literal("query"),
  cid: id,
  records: z.array(z.object({ ...signedRecord.shape, id })).max(MAX_RECORDS_PER_REPLY),
});
export const updateReply = z.object({
  ...success,
  action: z.literal("update"),
  id,
  version: z.int().min(1),
});
export const metadataErrorReply = z.object({
  success: z.literal(false),
  request_id: z.string().optional(),
  code: z.custom<ErrorCode>(isErrorCode, "is not a code of protocols/errors.ts"),
  /** For people. */
  error: z.string(),
  /** With `CONFLICT`: the record that stands. */
  current: z.object({ id, version: z.int() }).optional(),
});
export const metadataReply = z.union([infoReply, queryReply, updateReply, metadataErrorReply]);
export type MetadataReply = z.output<typeof metadataReply>;
