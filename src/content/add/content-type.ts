import { fileTypeFromBuffer } from "file-type";
import mime from "mime";
import { MAX_CONTENT_TYPE_LENGTH } from "../limits.ts";

/** Content type of bytes about which nothing is known. */
export const UNKNOWN_TYPE = "application/octet-stream";

/** Content type of a directory. */
export const DIRECTORY_TYPE = "inode/directory";

/** RFC 6838 section 4.2, with parameters. */
const CONTENT_TYPE = /^[a-z0-9][\w!#$&^.+-]{0,126}\/[a-z0-9][\w!#$&^.+-]{0,126}(\s*;[\x20-\x7e]*)?$/i;

/** Containers that say nothing about what is in them: the name knows better. */
const VAGUE = new Set(["application/xml", "application/zip", "application/x-cfb", "application/gzip"]);

export interface Hints {
  readonly name?: string | undefined;
  /** What the sender says it is. */
  readonly contentType?: string | undefined;
}

/** Content type by the first bytes of a file, then what the sender says, then the name, then whether it is text. */
export async function sniff(head: Uint8Array, hints: Hints = {}): Promise<string> {
  const byName = hints.name === undefined ? null : mime.getType(hints.name);
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  if (found !== undefined && !(VAGUE.has(found.mime) && byName !== null)) return found.mime;
  const given = normalise(hints.contentType);
  return given ?? byName ?? (isText(head) ? "text/plain" : UNKNOWN_TYPE);
}

function normalise(contentType: string | undefined): string | undefined {
  if (contentType === undefined || contentType.length > MAX_CONTENT_TYPE_LENGTH) return undefined;
  if (!CONTENT_TYPE.test(contentType)) return undefined;
  const type = contentType.split(";")[0]?.trim().toLowerCase();
  return type === UNKNOWN_TYPE || type === "application/x-www-form-urlencoded" ? undefined : type;
}

/** True for UTF-8 without control characters; the last character may be cut off. */
function isText(head: Uint8Array): boolean {
  if (head.byteLength === 0) return false;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    return !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text);
  } catch {
    // Not UTF-8.
    return false;
  }
}
