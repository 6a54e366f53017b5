import { createHash } from "node:crypto";
import type { ContentFile } from "../../content/index.ts";
import type { AbortOptions } from "../../core/index.ts";
import type { ByteRange, MediaFile } from "../demux/media-file.ts";
import type { DemuxedTrack, MediaPacket } from "../demux/track.ts";
import { PLACE_MAX_SEARCH_BYTES } from "../limits.ts";
import type { FramePlace } from "../types.ts";

/** Shortest packet that is told from others by its bytes. */
const MIN_DISTINCT_BYTES = 16;

/** Half a microsecond: times come as whole ones from the decoder. */
const ROUNDING_SECONDS = 5e-7;

/**
 * Where the picture shown at `timeSeconds` lies: all bytes from its keyframe to itself. Undefined where the demuxer does not
 * say and the packets do not lie in the file in one piece.
 */
export async function placeOf(
  media: Pick<MediaFile, "file" | "lately">,
  track: Pick<DemuxedTrack, "packets">,
  timeSeconds: number,
  options: AbortOptions,
): Promise<FramePlace | undefined> {
  const packets = track.packets(() => undefined);
  const key = await packets.keyAt(timeSeconds + ROUNDING_SECONDS);
  const shown = await packets.at(timeSeconds + ROUNDING_SECONDS);
  if (key === undefined || shown === undefined) return undefined;
  const { file } = media;
  const first = await rangeOf(media, key, options);
  const last = await rangeOf(media, shown, options);
  if (first === undefined || last === undefined) return undefined;
  const from = Math.min(first.start, last.start);
  // A demuxer that knows where packets begin does not know where they end: that is where the next one begins.
  const next = shown.position === undefined ? undefined : await packets.next(shown);
  const to = Math.max(first.end, shown.position === undefined ? last.end : (next?.position ?? file.size));
  return to > from ? { from, to, sha256: await hashOf(file, { start: from, end: to }, options) } : undefined;
}

async function rangeOf(
  { file, lately }: Pick<MediaFile, "file" | "lately">,
  packet: MediaPacket,
  options: AbortOptions,
): Promise<ByteRange | undefined> {
  const { position, data } = packet;
  if (position !== undefined) return { start: position, end: Math.min(file.size, position + data.length) };
  if (data.length < MIN_DISTINCT_BYTES) return undefined;
  // What lies across two reads is found with the ends of either, which are read along.
  const beside = data.length - 1;
  const seen: ByteRange[] = [];
  let searched = 0;
  for (const range of lately()) {
    if (seen.some(({ start, end }) => start <= range.start && range.end <= end)) continue;
    seen.push(range);
    const start = Math.max(0, range.start - beside);
    const end = Math.min(file.size, range.end + beside);
    searched += end - start;
    if (searched > PLACE_MAX_SEARCH_BYTES) return undefined;
    const bytes = await file.read(start, end, options);
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(data);
    if (at >= 0) return { start: start + at, end: start + at + data.length };
  }
  return undefined;
}

async function hashOf(file: ContentFile, range: ByteRange, options: AbortOptions): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of file.stream({ ...range, ...options })) hash.update(chunk);
  return hash.digest("hex");
}
