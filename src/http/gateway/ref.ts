import { MAX_CID_LENGTH, MAX_PATH_LENGTH } from "@cidcast/protocols/node-api";
import { z } from "zod";
import type { Content } from "../../content/index.ts";
import { type AbortOptions, CidcastError, isCidcastError, withTimeout } from "../../core/index.ts";

/** A CID with a path below it, as in `/ipfs/<cid>/<path>`. */
export interface ContentRef {
  readonly cid: string;
  /** Without slashes at its ends; empty for the CID itself. */
  readonly path: string;
  /** True when the address ended in `/`. */
  readonly slash: boolean;
  /** What the content domain takes. */
  readonly ref: string;
}

/** Parameter of routes that end in `*`. Whether the CID is one, the content domain says. */
export const refParams = z
  .object({
    "*": z
      .string()
      .min(1)
      .max(MAX_CID_LENGTH + 1 + MAX_PATH_LENGTH)
      .refine(text => !text.includes("\0"), "must not hold a zero byte")
      .describe("A CID, or a CID and a path below it."),
  })
  .transform(params => parseRef(params["*"]));

/** Takes the text of a CID and a path below it apart. */
export function parseRef(text: string): ContentRef {
  const [cid = "", ...rest] = text.split("/");
  const path = rest.filter(part => part !== "").join("/");
  return { cid, path, slash: text.endsWith("/"), ref: path === "" ? cid : `${cid}/${path}` };
}

/** Runs `find` for at most `timeoutMs`; what is not found by then is `CONTENT_NOT_FOUND`. */
export async function findWithin<T>(
  timeoutMs: number,
  ref: ContentRef,
  options: AbortOptions,
  find: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withTimeout(timeoutMs, `finding ${ref.ref}`, find, options);
  } catch (error) {
    if (!isCidcastError(error, "TIMEOUT")) throw error;
    throw new CidcastError(
      "CONTENT_NOT_FOUND",
      `${ref.ref} was not found within ${timeoutMs} ms, here or at a connected peer`,
      { cause: error, retryAfterSeconds: 10 },
    );
  }
}

/** Resolves a ref within the time that finding content may take. */
export async function resolveRef(
  content: Content,
  ref: ContentRef,
  timeoutMs: number,
  options: AbortOptions,
): ReturnType<Content["resolve"]> {
  return findWithin(timeoutMs, ref, options, signal => content.resolve(ref.ref, { signal }));
}

/** Refuses a ref of which a block is not here, without asking any peer. `PRECONDITION_FAILED`. */
export async function requireLocal(content: Content, ref: ContentRef, options: AbortOptions): Promise<void> {
  try {
    const { end } = await content.path(ref.ref, { ...options, local: true });
    if (await content.isLocal(end.toString())) return;
  } catch (error) {
    if (!isCidcastError(error, "CONTENT_NOT_FOUND")) throw error;
  }
  throw new CidcastError("PRECONDITION_FAILED", `${ref.ref} is not here, and no peer is to be asked`);
}
