import type { Ladder, LadderRung } from "../../media/index.ts";
import { firstRung } from "../quality/rung-decider.ts";
import type { QualityWish, Rung } from "../quality/types.ts";
import type { SessionQuality } from "../thread/messages.ts";
import type { QualityController, QualityLevel } from "../types.ts";
import { levelsOf, rungOfLevel, rungWithin } from "./levels.ts";

/** What a path is taken to carry before anything is known of it, bits per second. */
const UNKNOWN_PATH_BPS = 1_000_000;

export interface AdaptiveBitrateControllerInit {
  readonly ladder: Ladder;
  readonly trackId: string;
  /** What the viewer asked for; default `auto`. */
  readonly level?: QualityLevel | undefined;
  readonly maxBitrateBps?: number | undefined;
  readonly maxQuality?: QualityLevel | undefined;
  readonly view?: QualityWish["view"];
  /** What the viewer's path carried last time. */
  readonly bandwidthBps?: number | undefined;
  /** What is sent beside the pictures, bits per second. */
  readonly otherBps: number;
  /** Another wish, for the thread that sends. */
  readonly onWish: (wish: QualityWish) => void;
}

/**
 * The quality of one session of prepared content. `auto`: the rungs that its path and the content's supply carry, within
 * the session's limits; any other level: the rendition of that name, or the next one above it that there is, or the best.
 * Decisions are made where the path is measured, in the media thread; a rung takes over at its next keyframe.
 */
export class AdaptiveBitrateController implements QualityController {
  readonly #init: AdaptiveBitrateControllerInit;
  readonly #names: readonly string[];
  #level: QualityLevel;

  constructor(init: AdaptiveBitrateControllerInit) {
    this.#init = init;
    this.#names = init.ladder.names(init.trackId);
    this.#level = init.level ?? "auto";
    const { rungs, first } = this.session();
    init.ladder.choose(init.trackId, rungs[first]?.name ?? "auto");
  }

  level(): QualityLevel {
    return this.#level;
  }

  levels(): readonly QualityLevel[] {
    return levelsOf(this.#names);
  }

  set(_sessionId: string, quality: QualityLevel): { readonly success: boolean; readonly reason?: string } {
    this.#level = quality;
    this.#init.onWish(this.#wish());
    return { success: true };
  }

  forget(): void {
    // Nothing is kept beyond the session.
  }

  /** What the session begins with. */
  session(): SessionQuality {
    const { ladder, trackId, bandwidthBps, otherBps } = this.#init;
    const rungs = ladder.rungs(trackId).map(rungOf);
    const wish = this.#wish();
    const first = firstRung(rungs, { wish, otherBps, bandwidthBps: bandwidthBps ?? UNKNOWN_PATH_BPS });
    return { rungs, first, wish, bandwidthBps };
  }

  #wish(): QualityWish {
    const { maxBitrateBps, maxQuality, view } = this.#init;
    const auto = this.#level === "auto";
    return {
      rung: auto ? undefined : rungOfLevel(this.#names, this.#level),
      maxBitrateBps,
      maxRung:
        maxQuality === undefined || maxQuality === "auto" ? undefined : rungWithin(this.#names, maxQuality),
      view,
    };
  }
}

function rungOf({ name, width, height, bitrateBps }: LadderRung): Rung {
  return { name, width, height, bitrateBps: bitrateBps ?? 0 };
}
