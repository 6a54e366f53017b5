import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type AbortOptions, CidcastError, raceSignal } from "../../core/index.ts";
import { findEncoder } from "../transcode/encoder.ts";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
/** Longest that a picture may take to decode, milliseconds: the library has to be loaded. */
const DECODE_TIMEOUT_MS = 20_000;

const answer = z.object({ width: z.number().int().positive(), height: z.number().int().positive() });

/**
 * Decodes one keyframe of H.264 (Annex B) in a process of its own and gives its size. `ENCODER_MISSING` when nothing here
 * decodes, `CORRUPT_MEDIA` when it is no picture.
 */
export async function decodePicture(
  picture: Uint8Array,
  options: AbortOptions = {},
): Promise<{ readonly width: number; readonly height: number }> {
  const decoder = findEncoder({});
  if (decoder.kind === "none") throw new CidcastError("ENCODER_MISSING", decoder.reason);
  // It reads a stranger's picture: nothing of this process's environment is its business.
  const child = spawn(process.execPath, [CHILD], { stdio: ["pipe", "pipe", "ignore"], env: {} });
  const text: Buffer[] = [];
  const ended = Promise.withResolvers<void>();
  child.once("close", () => ended.resolve());
  child.once("error", ended.reject);
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (chunk: Buffer) => void text.push(chunk));
  child.stdin.end(picture);
  const limit = AbortSignal.timeout(DECODE_TIMEOUT_MS);
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
  try {
    await raceSignal(ended.promise, signal);
  } finally {
    child.kill("SIGKILL");
  }
  try {
    return answer.parse(JSON.parse(Buffer.concat(text).toString("utf8")));
  } catch (cause) {
    throw new CidcastError("CORRUPT_MEDIA", "The decoder made no picture of it", { cause });
  }
}
