import { CidcastError, isAbortError, raceSignal, toCidcastError } from "../../core/index.ts";
import { isSwitching, type RenditionSource, type Segment } from "../../media/index.ts";
import type { SegmentPlace } from "../player/track-queue.ts";
import type { FromHost, ToHost } from "../thread/messages.ts";
import { KNOWN_SEGMENTS } from "./limits.ts";

type Need = Extract<FromHost, { type: "need" }>;
type Answer = Extract<ToHost, { type: "segment" | "segment_silent" | "segment_failed" }>;

export interface FeederInit {
  /** What each track is sent as. */
  readonly renditions: readonly RenditionSource[];
  /** The sound of a track for another rate than 1. */
  readonly atTempo: (track: number, tempo: number) => Promise<RenditionSource>;
  /** A rung of a ladder is played from now on. */
  readonly choose: (track: number, rung: string) => void;
  readonly send: (answer: Answer) => void;
}

/** How often work that others give up is begun before that is an error. */
const MAX_SHARED_ATTEMPTS = 3;

/** The rendition that each track is read from: another one while sound is played at another rate than 1. */
class PacedRenditions {
  readonly #renditions: RenditionSource[];
  readonly #atTempo: FeederInit["atTempo"];
  readonly #paced = new Map<
    number,
    { readonly tempo: number; readonly rendition: Promise<RenditionSource> }
  >();

  constructor(renditions: RenditionSource[], atTempo: FeederInit["atTempo"]) {
    this.#renditions = renditions;
    this.#atTempo = atTempo;
  }

  /** Lets go of what a track is read from, until it is asked for again. */
  async rest(track: number): Promise<void> {
    this.#renditions[track]?.leave?.();
    const paced = this.#paced.get(track);
    this.#paced.delete(track);
    const rendition = await paced?.rendition.catch(() => undefined);
    rendition?.leave?.();
  }

  async get(track: number, tempo: number): Promise<RenditionSource> {
    const plain = this.#renditions[track];
    if (plain === undefined) throw new CidcastError("TRACK_NOT_FOUND", `there is no track ${track}`);
    const paced = this.#paced.get(track);
    if (paced?.tempo === tempo) return paced.rendition;
    this.#paced.delete(track);
    if (paced !== undefined) {
      // What the rate before was read from is let go; one that did not come to be holds nothing.
      const stale = await paced.rendition.catch(() => undefined);
      stale?.leave?.();
    }
    if (tempo === 1) return plain;
    plain.leave?.();
    const rendition = this.#atTempo(track, tempo);
    this.#paced.set(track, { tempo, rendition });
    return rendition;
  }
}

/** Fetches a session's segments when its host asks for them. */
export class Feeder {
  readonly #renditions: RenditionSource[];
  readonly #paced: PacedRenditions;
  readonly #send: (answer: Answer) => void;
  readonly #choose: FeederInit["choose"];
  readonly #known: Map<string, Segment>[];
  readonly #running: (AbortController | undefined)[];
  /** Segments of other rungs, which are fetched beside those that are played. */
  readonly #switching: (AbortController | undefined)[];
  #closed = false;

  constructor({ renditions, atTempo, choose, send }: FeederInit) {
    this.#renditions = [...renditions];
    this.#paced = new PacedRenditions(this.#renditions, atTempo);
    this.#send = send;
    this.#choose = choose;
    this.#known = renditions.map(() => new Map());
    this.#running = renditions.map(() => undefined);
    this.#switching = renditions.map(() => undefined);
  }

  /** Answers one request; an older one of the same track is given up. Never throws. */
  async feed({ id, track, ticket, place }: Need): Promise<void> {
    if (this.#renditions[track] === undefined || this.#closed) return;
    const lane = "keyAfter" in place || "holding" in place ? this.#switching : this.#running;
    lane[track]?.abort();
    const controller = new AbortController();
    lane[track] = controller;
    const { signal } = controller;
    try {
      const segment = await this.#fetchAgain(track, place, signal);
      if (signal.aborted) return;
      if (segment !== undefined) this.#remember(track, segment);
      this.#send({ type: "segment", id, track, ticket, segment, rung: this.#rungOf(track, segment) });
    } catch (error) {
      if (signal.aborted) return;
      if ((place.tempo ?? 1) !== 1) {
        this.#send({ type: "segment_silent", id, track, ticket });
        return;
      }
      const { code, message } = toCidcastError(error);
      this.#send({ type: "segment_failed", id, track, ticket, error: { code, message } });
    } finally {
      // What is over is not to be aborted: that would cost an error with its stack for each segment.
      if (lane[track] === controller) lane[track] = undefined;
    }
  }

  /** One more track. */
  add(rendition: RenditionSource): void {
    this.#renditions.push(rendition);
    this.#known.push(new Map());
    this.#running.push(undefined);
    this.#switching.push(undefined);
  }

  /** From now on a track is read from something else. */
  replace(track: number, rendition: RenditionSource): void {
    this.#renditions[track] = rendition;
  }

  /** Gives up what is under way for a track, and what it is read from. */
  rest(track: number): void {
    this.#running[track]?.abort();
    this.#switching[track]?.abort();
    this.#known[track]?.clear();
    void this.#paced.rest(track);
  }

  /** Gives up what is under way. */
  close(): void {
    this.#closed = true;
    for (const controller of [...this.#running, ...this.#switching]) controller?.abort();
    for (const known of this.#known) known.clear();
  }

  /** Work that was shared with somebody who gave it up is begun anew: without an answer the viewer would wait for ever. */
  async #fetchAgain(track: number, place: SegmentPlace, signal: AbortSignal): Promise<Segment | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await raceSignal(this.#fetch(track, place, signal), signal);
      } catch (error) {
        if (signal.aborted || !isAbortError(error) || attempt === MAX_SHARED_ATTEMPTS) throw error;
      }
    }
  }

  async #fetch(track: number, place: SegmentPlace, signal: AbortSignal): Promise<Segment | undefined> {
    const rendition = await this.#paced.get(track, place.tempo ?? 1);
    if ("keyAfter" in place) {
      return isSwitching(rendition) ? rendition.segmentOf(place.rung, place.keyAfter, { signal }) : undefined;
    }
    if ("holding" in place) {
      return isSwitching(rendition)
        ? rendition.segmentHolding(place.rung, place.holding, { signal })
        : undefined;
    }
    if (place.rung !== undefined) this.#choose(track, place.rung);
    if ("at" in place) return rendition.segmentAt(place.at, { signal });
    const before = this.#known[track]?.get(place.after);
    if (before === undefined) throw new Error(`segment ${place.after} is not known here`);
    return rendition.segmentAfter(before, { signal });
  }

  #rungOf(track: number, segment: Segment | undefined): string | undefined {
    const rendition = this.#renditions[track];
    if (segment === undefined || rendition === undefined || !isSwitching(rendition)) return undefined;
    return rendition.rungOf(segment);
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
