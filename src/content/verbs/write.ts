import type { AbortOptions } from "../../core/index.ts";
import { BlockSink } from "../add/block-sink.ts";
import { buildFile } from "../add/file-builder.ts";
import type { ContentContext } from "./context.ts";

/** Writes a file's blocks and gives back its CID: no record, no pin. */
export async function writeFile(
  context: ContentContext,
  bytes: Uint8Array,
  options: AbortOptions,
): Promise<string> {
  const sink = new BlockSink(context.store, context.metrics);
  try {
    const root = await buildFile(once(bytes), sink, options);
    await sink.flush();
    return root.cid.toString();
  } catch (error) {
    await sink.settle();
    throw error;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
