import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a stream to a file that appears whole or not at all: a broken-off download must not look like a file. */
export async function saveStream(
  source: AsyncIterable<Uint8Array>,
  target: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const part = `${target}.${process.pid}.part`;
  const handle = await open(part, "wx");
  try {
    for await (const chunk of source) {
      await handle.writeFile(chunk);
      onBytes(chunk.length);
    }
    await handle.close();
    await rename(part, target);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}
