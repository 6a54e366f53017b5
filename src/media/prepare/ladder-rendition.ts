import type { AbortOptions } from "../../core/index.ts";
import type { RenditionInfo, RenditionSource, Segment, SwitchingSource } from "../types.ts";

/** Seconds that two keyframes of one time may lie apart: times are rounded to microseconds. */
const SAME_TIME_SECONDS = 0.002;

/** A rung: its name, and its rendition once somebody has wanted it. */
export interface RungSource {
  readonly name: string;
  readonly source: () => Promise<RenditionSource>;
}

/**
 * A track of a prepared ladder as one viewer gets it: segments come from the rung that is chosen, and another one takes
 * over where both have a keyframe at the same time. What was sent stays valid, so that a switch asks nothing of the viewer.
 */
export class LadderRendition implements SwitchingSource {
  readonly info: RenditionInfo;
  readonly #rungs: ReadonlyMap<string, RungSource>;
  readonly #chosen: () => string;
  /** The rung each segment came from; segments are shared by all viewers, rungs in use are not. */
  readonly #rungOf = new WeakMap<Segment, string>();

  constructor(info: RenditionInfo, rungs: readonly RungSource[], chosen: () => string) {
    this.info = info;
    this.#rungs = new Map(rungs.map(rung => [rung.name, rung]));
    this.#chosen = chosen;
  }

  async segmentAt(timeSeconds: number, options: AbortOptions = {}): Promise<Segment | undefined> {
    const name = this.#chosen();
    return this.#from(name, await (await this.#source(name))?.segmentAt(timeSeconds, options));
  }

  async segmentAfter(segment: Segment, options: AbortOptions = {}): Promise<Segment | undefined> {
    const name = this.#rungOf.get(segment) ?? this.#chosen();
    const next = await (await this.#source(name))?.segmentAfter(segment, options);
    const wanted = this.#chosen();
    if (next === undefined || wanted === name || !next.startsWithKey) return this.#from(name, next);
    const other = await this.#meeting(wanted, next, options);
    return other === undefined ? this.#from(name, next) : this.#from(wanted, other);
  }

  async segmentOf(rung: string, seconds: number, options: AbortOptions = {}): Promise<Segment | undefined> {
    const source = await this.#source(rung);
    const key = source?.keyAfter?.(seconds - SAME_TIME_SECONDS);
    if (source === undefined || key === undefined) return undefined;
    return this.#from(rung, await source.segmentAt(key + SAME_TIME_SECONDS / 2, options));
  }

  async segmentHolding(
    rung: string,
    seconds: number,
    options: AbortOptions = {},
  ): Promise<Segment | undefined> {
    return this.#from(rung, await (await this.#source(rung))?.segmentAt(seconds, options));
  }

  rungOf(segment: Segment): string | undefined {
    return this.#rungOf.get(segment);
  }

  /** The segment of another rung that begins with a keyframe where `next` begins; undefined where there is none. */
  async #meeting(name: string, next: Segment, options: AbortOptions): Promise<Segment | undefined> {
    const source = await this.#source(name);
    const other = await source?.segmentAt(next.startSeconds + SAME_TIME_SECONDS, options);
    if (other === undefined || !other.startsWithKey) return undefined;
    return Math.abs(other.startSeconds - next.startSeconds) <= SAME_TIME_SECONDS ? other : undefined;
  }

  async #source(name: string): Promise<RenditionSource | undefined> {
    return this.#rungs.get(name)?.source();
  }

  #from(name: string, segment: Segment | undefined): Segment | undefined {
    if (segment !== undefined) this.#rungOf.set(segment, name);
    return segment;
  }
}
