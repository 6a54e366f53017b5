import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

export interface SaveOptions {
  readonly onBytes?: (bytes: number) => void;
  /** Who may read the file; default: as the process is told. */
  readonly mode?: number;
}

/** Writes a stream to a file that appears whole or not at all: a broken-off download must not look like a file. */
export async function saveStream(
  source: AsyncIterable<Uint8Array>,
  target: string,
  { onBytes, mode = 0o666 }: SaveOptions = {},
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const part = `${target}.${process.pid}.part`;
  const handle = await open(part, "wx", mode);
  try {
    for await (const chunk of source) {
      await handle.writeFile(chunk);
      onBytes?.(chunk.length);
    }
    await handle.close();
    await rename(part, target);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}
