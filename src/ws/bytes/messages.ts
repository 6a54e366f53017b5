import { MAX_CID_LENGTH, MAX_NAME_LENGTH, MAX_PATH_LENGTH } from "@cidcast/protocols/node-api";
import { z } from "zod";

/** Bytes of one binary frame: what a client may ask for, and what it gets when it does not say. */
const MIN_CHUNK_BYTES = 1024;
const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** Longest wait for the first byte, seconds: what a client may ask for, and what it gets when it does not say. */
const MAX_WAIT_SECONDS = 300;
const WAIT_SECONDS = 30;

/** What a client asks to be sent. */
export const streamRequest = z.object({
  path: z
    .string({ error: "Path parameter is required" })
    .min(1, "Path parameter is required")
    .max(MAX_CID_LENGTH + MAX_PATH_LENGTH + 16),
  chunk_size: z.number().int().min(MIN_CHUNK_BYTES).max(MAX_CHUNK_BYTES).default(CHUNK_BYTES),
  mime_type: z
    .string()
    .max(MAX_NAME_LENGTH)
    .regex(/^[\w.+-]+\/[\w.+-]+$/)
    .optional(),
  timeout: z.number().positive().max(MAX_WAIT_SECONDS).default(WAIT_SECONDS),
});
export type StreamRequest = z.output<typeof streamRequest>;

/** What a client says of the bytes it is about to send. */
export const uploadMetadata = z.object({
  filename: z.string().min(1).max(MAX_NAME_LENGTH).optional(),
  content_type: z.string().max(MAX_NAME_LENGTH).optional(),
  metadata: z.looseObject({ size: z.number().int().min(0).optional() }).optional(),
});
export type UploadMetadata = z.output<typeof uploadMetadata>;

export const pinRequest = z.object({
  cid: z.string({ error: "Missing cid parameter" }).min(1, "Missing cid parameter").max(MAX_CID_LENGTH),
});

/** The first thing that is wrong with a message, in words. */
export function problemOf(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "Invalid message";
  const path = issue.path.join(".");
  const known = /parameter/.test(issue.message);
  return known || path === "" ? issue.message : `${path}: ${issue.message}`;
}
