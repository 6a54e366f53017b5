import { randomUUID } from "node:crypto";
import type { DirectoryEntrySource } from "../../content/index.ts";

/** A directory as a form that `POST /api/v0/add?directory=1` takes. */
export interface MultipartBody {
  readonly contentType: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Encodes as it goes: nothing is held but the chunk in hand (RFC 7578). */
export function encodeMultipart(entries: AsyncIterable<DirectoryEntrySource>): MultipartBody {
  const boundary = `cidcast-${randomUUID()}`;
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: parts(entries, boundary) };
}

async function* parts(
  entries: AsyncIterable<DirectoryEntrySource>,
  boundary: string,
): AsyncGenerator<Uint8Array> {
  for await (const { path, content } of entries) {
    const head = [
      `--${boundary}`,
      `Content-Disposition: form-data; name="file"; filename="${escapeName(path)}"`,
      "Content-Type: application/octet-stream",
      "",
      "",
    ];
    yield Buffer.from(head.join("\r\n"));
    yield* content;
    yield Buffer.from("\r\n");
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

function escapeName(name: string): string {
  return name
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll(/[\r\n]/g, "_");
}
