import { isAbortError, raceSignal, toCidcastError } from "../../core/index.ts";
import type { RenditionSource, Segment } from "../../media/index.ts";
import type { SegmentPlace } from "../player/track-queue.ts";
import type { FromHost, ToHost } from "../thread/messages.ts";
import { KNOWN_SEGMENTS } from "./limits.ts";

type Need = Extract<FromHost, { type: "need" }>;
type Answer = Extract<ToHost, { type: "segment" | "segment_failed" }>;

/** Fetches a session's segments when its host asks for them. */
export class Feeder {
  readonly #renditions: readonly RenditionSource[];
  readonly #send: (answer: Answer) => void;
  readonly #known: Map<string, Segment>[];
  readonly #running: (AbortController | undefined)[];
  #closed = false;

  constructor(renditions: readonly RenditionSource[], send: (answer: Answer) => void) {
    this.#renditions = renditions;
    this.#send = send;
    this.#known = renditions.map(() => new Map());
    this.#running = renditions.map(() => undefined);
  }

  /** Answers one request; an older one of the same track is given up. Never throws. */
  async feed({ id, track, ticket, place }: Need): Promise<void> {
    const rendition = this.#renditions[track];
    if (rendition === undefined || this.#closed) return;
    this.#running[track]?.abort();
    const controller = new AbortController();
    this.#running[track] = controller;
    const { signal } = controller;
    try {
      const segment = await raceSignal(this.#fetch(rendition, track, place, signal), signal);
      if (signal.aborted) return;
      if (segment !== undefined) this.#remember(track, segment);
      this.#send({ type: "segment", id, track, ticket, segment });
    } catch (error) {
      if (signal.aborted || isAbortError(error)) return;
      const { code, message } = toCidcastError(error);
      this.#send({ type: "segment_failed", id, ticket, error: { code, message } });
    }
  }

  /** Gives up what is under way. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#running) controller?.abort();
    for (const known of this.#known) known.clear();
  }

  #fetch(
    rendition: RenditionSource,
    track: number,
    place: SegmentPlace,
    signal: AbortSignal,
  ): Promise<Segment | undefined> {
    if ("at" in place) return rendition.segmentAt(place.at, { signal });
    const before = this.#known[track]?.get(place.after);
    if (before === undefined) return Promise.reject(new Error(`segment ${place.after} is not known here`));
    return rendition.segmentAfter(before, { signal });
  }

  #remember(track: number, segment: Segment): void {
    const known = this.#known[track];
    if (known === undefined) return;
    known.delete(segment.key);
    known.set(segment.key, segment);
    for (const oldest of known.keys()) {
      if (known.size <= KNOWN_SEGMENTS) break;
      known.delete(oldest);
    }
  }
}
