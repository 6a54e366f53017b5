/**
 * Cuts a stream into chunks of `size` bytes, the last one shorter; an empty stream gives none. A chunk is a view of
 * the source's own memory where it lies in one piece, so the source must not write to what it has handed out.
 */
export async function* chunks(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let partial: Uint8Array | undefined;
  let filled = 0;
  for await (const piece of source) {
    let at = 0;
    while (at < piece.byteLength) {
      if (partial === undefined && piece.byteLength - at >= size) {
        yield piece.subarray(at, at + size);
        at += size;
        continue;
      }
      partial ??= Buffer.allocUnsafeSlow(size);
      const taken = Math.min(size - filled, piece.byteLength - at);
      partial.set(piece.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled < size) continue;
      yield partial;
      partial = undefined;
      filled = 0;
    }
  }
  // A copy of its own length, so that a small file does not keep a whole chunk of memory.
  if (partial !== undefined) yield partial.slice(0, filled);
}
