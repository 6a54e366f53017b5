import { type Clock, EventBus, noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { createMedia, type MediaInit } from "../media.ts";
import type { MediaEvents, RenditionSource, Segment } from "../types.ts";
import { memoryContent } from "./memory-content.ts";

/** The media domain on content in memory, and what it told. Dispose it to end its children. */
export function testMedia(
  init: MediaInit & { readonly files: Readonly<Record<string, Uint8Array>>; readonly clock?: Clock },
) {
  const content = memoryContent(init.files);
  const events = new EventBus<MediaEvents>(silentLogger);
  const told: string[] = [];
  events.onAny(event => told.push(event.type));
  const media = createMedia({ warmEncoders: 0, ...init })({
    content,
    log: silentLogger,
    metrics: noMetrics,
    events,
    clock: init.clock ?? systemClock,
  });
  return { media, content, events, told, [Symbol.asyncDispose]: () => media.stop() };
}

/** All segments from `fromSeconds` to the end. */
export async function allSegments(source: RenditionSource, fromSeconds = 0): Promise<Segment[]> {
  const segments: Segment[] = [];
  let segment = await source.segmentAt(fromSeconds);
  while (segment !== undefined) {
    segments.push(segment);
    segment = await source.segmentAfter(segment);
  }
  return segments;
}

/** The bytes of each frame of a segment. */
export function framesOf(segment: Segment): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let i = 0; i < segment.frameCount; i++) {
    frames.push(new Uint8Array(segment.data).slice(segment.offsets[i], segment.offsets[i + 1]));
  }
  return frames;
}

/** Presentation times of all frames of some segments, seconds. */
export function timesOf(segments: readonly Segment[]): number[] {
  return segments.flatMap(segment => [...segment.ptsSeconds]);
}
