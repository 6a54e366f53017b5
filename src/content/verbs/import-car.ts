import { abortable } from "../add/abortable.ts";
import { readCar } from "../car/reader.ts";
import { IDENTITY } from "../dag/cid.ts";
import { Pool } from "../dag/pool.ts";
import { CAR_INFLIGHT_BLOCKS } from "../limits.ts";
import type { CarImport, ImportCarOptions } from "../types.ts";
import type { ContentContext } from "./context.ts";
import { pinDag } from "./pin.ts";
import { checkPinName } from "./pin-name.ts";
import { checkRoom } from "./room.ts";

/** Takes in every block of a CAR, each verified, then pins its roots; what a root lacks is fetched first. */
export async function importCar(
  context: ContentContext,
  source: AsyncIterable<Uint8Array>,
  options: ImportCarOptions,
): Promise<CarImport> {
  const pin = options.pin ?? "";
  if (pin !== false) checkPinName(pin);
  options.signal?.throwIfAborted();
  await checkRoom(context, options.totalBytes);
  // Until the roots are pinned nothing but the guard keeps the blocks from a collection.
  using _guard = context.store.guard();
  const pool = new Pool(CAR_INFLIGHT_BLOCKS);
  let blocks = 0;
  let bytes = 0;
  try {
    const car = await readCar(abortable(source, options));
    for await (const block of car.blocks) {
      if (block.cid.multihash.code === IDENTITY) continue;
      await pool.start(() => context.blocks.put(block.cid, block.bytes, options));
      blocks++;
      bytes += block.bytes.byteLength;
      options.onProgress?.({ blocks, bytes });
    }
    await pool.drain();
    const roots = [...new Set(car.roots.map(root => root.toString()))];
    if (pin !== false) {
      for (const root of roots) await pinDag(context, root, { name: pin, signal: options.signal });
    }
    return { roots, blocks, bytes };
  } finally {
    await pool.settle();
  }
}
