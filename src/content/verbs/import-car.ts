import type { CID } from "multiformats/cid";
import { type AbortOptions, CidcastError } from "../../core/index.ts";
import { abortable } from "../add/abortable.ts";
import type { BlockSet } from "../blockstore/blockstore.ts";
import { readCar } from "../car/reader.ts";
import { IDENTITY } from "../dag/cid.ts";
import { Pool } from "../dag/pool.ts";
import { walkDag } from "../dag/walk.ts";
import { CAR_INFLIGHT_BLOCKS } from "../limits.ts";
import type { CarContent, CarImport, ImportCarOptions } from "../types.ts";
import type { ContentContext } from "./context.ts";
import { describeRoot, pinDag } from "./pin.ts";
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
  const brought = options.whole === true ? context.store.newSet() : undefined;
  let blocks = 0;
  let bytes = 0;
  try {
    const car = await readCar(abortable(source, options));
    for await (const block of car.blocks) {
      if (block.cid.multihash.code === IDENTITY) continue;
      await pool.start(async () => {
        await context.blocks.put(block.cid, block.bytes, options);
        brought?.add(block.cid);
      });
      blocks++;
      bytes += block.bytes.byteLength;
      options.onProgress?.({ blocks, bytes });
    }
    await pool.drain();
    const distinct = [...new Map(car.roots.map(root => [root.toString(), root])).values()];
    const roots = distinct.map(String);
    const contents: CarContent[] = [];
    if (brought !== undefined) {
      for (const root of distinct)
        contents.push(await wholeContent(context, root, { brought, signal: options.signal }));
    }
    if (pin !== false) {
      for (const root of roots) await pinDag(context, root, { name: pin, signal: options.signal });
    }
    return { roots, blocks, bytes, contents };
  } finally {
    await pool.settle();
  }
}

/** Size and type of a root of which the CAR has to have every block. */
async function wholeContent(
  context: ContentContext,
  root: CID,
  { brought, signal }: AbortOptions & { readonly brought: BlockSet },
): Promise<CarContent> {
  const { blocks, store, denylist } = context;
  denylist.check(root);
  const cid = root.toString();
  const seen = store.newSet();
  let size = 0;
  let block: Uint8Array | undefined;
  await walkDag(root, {
    signal,
    visit: async step => {
      if (!brought.has(step.cid)) {
        throw new CidcastError("INVALID_CAR", `The CAR lacks ${step.cid.toString()}, which ${cid} needs`);
      }
      if (!seen.add(step.cid)) return false;
      block = await blocks.block(step.cid, { signal, root: cid });
      size += block.byteLength;
      return true;
    },
    // What is read is what was visited last.
    read: async () => block,
  });
  const { contentType } = await describeRoot(context, root, { signal });
  return { cid, size, contentType };
}
