import type { Filters } from "@cidcast/protocols/notifications";
import { compileFilter, equalityFilter, type Predicate } from "../filter/index.ts";
import type { RingEntry } from "../log/index.ts";
import type { Audience, LogEvent } from "../types.ts";

/** Topic that stands for every topic. */
export const ALL_TOPICS = "all_events";

/** What a subscriber wants, as it said it. */
export interface SelectionInit {
  readonly topics: ReadonlySet<string>;
  readonly filters?: Filters | undefined;
  readonly filter?: string | undefined;
  readonly flushMs: number;
  /** What the subscriber's principal may see. */
  readonly audienceClass: string;
}

/** What a subscriber wants and may see, ready to be asked. Those with one key take the same events at the same times. */
export interface Selection {
  readonly key: string;
  readonly topics: ReadonlySet<string>;
  readonly all: boolean;
  readonly flushMs: number;
  takes(event: LogEvent): boolean;
}

/** Compiles a selection. Throws `INVALID_REQUEST` for a filter that cannot be read. */
export function createSelection(init: SelectionInit, audience: Audience): Selection {
  const { topics, flushMs, audienceClass } = init;
  const all = topics.has(ALL_TOPICS);
  const tests: Predicate[] = [];
  if (init.filters !== undefined && Object.keys(init.filters).length > 0)
    tests.push(equalityFilter(init.filters));
  if (init.filter !== undefined) tests.push(compileFilter(init.filter));
  return {
    key: JSON.stringify([
      all ? ALL_TOPICS : [...topics].sort(),
      init.filters ?? {},
      init.filter ?? "",
      flushMs,
      audienceClass,
    ]),
    topics,
    all,
    flushMs,
    // What may be seen is decided before any filter is asked.
    takes: event =>
      (all || topics.has(event.topic)) &&
      audience.maySee(audienceClass, event) &&
      tests.every(test => test(event)),
  };
}

/** Leaves out events that a later one of the same topic and key replaces. */
export function coalesced(entries: readonly RingEntry[]): readonly RingEntry[] {
  const last = new Map<string, RingEntry>();
  for (const entry of entries) {
    const key = entry.event.latestKey;
    if (key !== undefined) last.set(`${entry.event.topic}\n${key}`, entry);
  }
  if (last.size === 0) return entries;
  const kept = new Set(last.values());
  return entries.filter(entry => entry.event.latestKey === undefined || kept.has(entry));
}
