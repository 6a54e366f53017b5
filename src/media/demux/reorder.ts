import { REORDER_SAMPLE_PACKETS } from "../limits.ts";
import type { DemuxedVideo, PacketReader } from "./track.ts";

/** What a look at a stretch of packets tells. */
export interface PacketSample {
  /** A packet is shown before one that is decoded earlier: there are B-frames. */
  readonly reordered: boolean;
  /** Pictures per second, where there were two or more. */
  readonly frameRate: number | undefined;
  readonly packets: number;
}

/** Most pictures that a decoder may hold back (ITU-T H.264 A.3.1, H.265 A.4.2). */
const MAX_REORDER_DEPTH = 16;

/** Where in the track to look again, as shares of its duration. */
const PLACES = [0.25, 0.5, 0.75];

/**
 * Looks at packet times in decode order. The start always; when nothing was out of order there and `more` is asked for,
 * three later places too: some encoders put B-frames only where it pays.
 */
export async function samplePackets(
  track: Pick<DemuxedVideo, "packets" | "durationSeconds">,
  init: { readonly more: boolean },
): Promise<PacketSample> {
  const reader = track.packets(() => undefined);
  const start = await stretch(reader, undefined);
  if (start.reordered || !init.more || start.packets < REORDER_SAMPLE_PACKETS) return start;
  for (const place of PLACES) {
    const later = await stretch(reader, place * track.durationSeconds);
    if (later.reordered) return { ...start, reordered: true };
  }
  return start;
}

async function stretch(reader: PacketReader, fromSeconds: number | undefined): Promise<PacketSample> {
  const options = { metadataOnly: true };
  let packet =
    fromSeconds === undefined ? await reader.first(options) : await reader.keyAt(fromSeconds, options);
  const times: number[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  let reordered = false;
  while (packet !== undefined && times.length < REORDER_SAMPLE_PACKETS) {
    times.push(packet.timestamp);
    if (packet.timestamp < latest) reordered = true;
    else latest = packet.timestamp;
    packet = await reader.next(packet, options);
  }
  return { reordered, packets: times.length, frameRate: rateOf(times) };
}

/** Pictures per second on average. The last few are left out: with B-frames some before them are still to come. */
function rateOf(times: number[]): number | undefined {
  const sorted = times.toSorted((a, b) => a - b);
  const whole = sorted.length > 2 * MAX_REORDER_DEPTH ? sorted.slice(0, -MAX_REORDER_DEPTH) : sorted;
  const span = (whole.at(-1) ?? 0) - (whole[0] ?? 0);
  return span > 0 ? (whole.length - 1) / span : undefined;
}
