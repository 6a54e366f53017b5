import { type AbortOptions, type Cancel, CidcastError, type Clock, type Metrics } from "../../core/index.ts";
import { FLUSH_MS, MAX_FOLLOWERS } from "../limits.ts";
import type { EventLog, RingEntry } from "../log/index.ts";
import { notifyMetrics } from "../metrics.ts";
import type { LogEvent, Lost } from "../types.ts";
import { Cohort } from "./cohort.ts";
import { FrameSlab } from "./frame-slab.ts";
import { ALL_TOPICS, type Selection } from "./selection.ts";
import { type Sink, Subscriber, type SubscriberHost } from "./subscriber.ts";

export interface FanoutComponents {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** What a reader that pulls gets: events that were selected, or the news that some are lost. */
export interface Followed {
  readonly events: readonly LogEvent[];
  readonly lost: Lost | undefined;
  /** Position after this: all events up to it were given or passed over. */
  readonly offset: number;
}

/** Brings the events of a log to those who want them. */
export interface Fanout extends Disposable {
  /** A subscriber that is pushed to. It wants nothing until it selects. */
  subscribe(sink: Sink): Subscriber;
  /** Events from `from` on (default: from now), pulled: the reader's own pace, nothing queued. `LIMIT_REACHED` when there are too many readers. */
  follow(
    selection: Selection,
    options?: AbortOptions & { readonly from?: number },
  ): AsyncGenerator<Followed, void, void>;
  /** Events handed to subscribers so far. */
  readonly delivered: number;
  close(): void;
}

/** Joins a fan-out to its log. */
export function createFanout(components: FanoutComponents): Fanout {
  const { log, clock } = components;
  const metrics = notifyMetrics(components.metrics);
  const cohorts = new Map<string, Cohort>();
  const byTopic = new Map<string, Set<Cohort>>();
  const laggards = new Set<Subscriber>();
  const wakers = new Set<() => void>();
  let delivered = 0;
  let followers = 0;
  const state = { closed: false };
  let tick: Cancel | undefined;
  let wake: Cancel | undefined;

  const offerTo = (topic: string, entry: RingEntry): void => {
    for (const cohort of byTopic.get(topic) ?? []) cohort.offer(entry);
  };
  const wakeAll = (): void => {
    wake = undefined;
    for (const waker of wakers) waker();
  };
  const stopListening = log.onAppend(entry => {
    offerTo(entry.event.topic, entry);
    offerTo(ALL_TOPICS, entry);
    if (wakers.size > 0) wake ??= clock.after(FLUSH_MS, wakeAll);
  });

  let numbering = 0;
  const stopEpoch = log.onEpoch((phase, renumbered) => {
    if (phase === "before") for (const cohort of cohorts.values()) cohort.flush();
    else if (renumbered) {
      numbering += 1;
      for (const subscriber of laggards) subscriber.restart();
      wakeAll();
    }
  });

  const pumpLaggards = (): void => {
    tick = undefined;
    const due = [...laggards];
    laggards.clear();
    for (const subscriber of due) subscriber.pump();
  };

  const topicsOf = (selection: Selection): Iterable<string> =>
    selection.all ? [ALL_TOPICS] : selection.topics;

  const host: SubscriberHost = {
    log,
    slab: new FrameSlab(),
    monotonicMs: () => clock.monotonicMs(),
    cohortOf(selection) {
      const known = cohorts.get(selection.key);
      if (known !== undefined) return known;
      const cohort = new Cohort({
        selection,
        clock,
        slab: host.slab,
        nextOffset: () => log.nextOffset,
        commit: () => log.commit(),
        delivered: host.delivered,
      });
      cohorts.set(selection.key, cohort);
      for (const topic of topicsOf(selection)) {
        const set = byTopic.get(topic) ?? new Set();
        byTopic.set(topic, set);
        set.add(cohort);
      }
      return cohort;
    },
    leave(cohort, member) {
      cohort.members.delete(member);
      if (cohort.members.size > 0) return;
      cohort.close();
      cohorts.delete(cohort.selection.key);
      for (const topic of topicsOf(cohort.selection)) {
        const set = byTopic.get(topic);
        set?.delete(cohort);
        if (set?.size === 0) byTopic.delete(topic);
      }
    },
    behind(subscriber) {
      laggards.add(subscriber);
      tick ??= clock.after(FLUSH_MS, pumpLaggards);
    },
    delivered(events) {
      delivered += events;
      metrics.deliveries.add(events);
    },
  };

  const appended = async (signal: AbortSignal | undefined): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wakers.add(resolve);
    const onAbort = (): void => resolve();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      wakers.delete(resolve);
      signal?.removeEventListener("abort", onAbort);
    }
  };

  return {
    subscribe: sink => new Subscriber(host, sink),
    async *follow(selection, options = {}) {
      if (followers >= MAX_FOLLOWERS) {
        throw new CidcastError("LIMIT_REACHED", `At most ${MAX_FOLLOWERS} readers follow the log at a time`);
      }
      followers += 1;
      let at = options.from ?? log.nextOffset;
      let counted = numbering;
      try {
        while (!state.closed && !(options.signal?.aborted ?? false)) {
          if (counted !== numbering) {
            counted = numbering;
            at = log.nextOffset;
            yield { events: [], lost: { fromOffset: 0, toOffset: at - 1 }, offset: at - 1 };
            continue;
          }
          const page = log.read(at);
          const moved = page.nextOffset > at;
          at = page.nextOffset;
          const events = page.entries.map(({ event }) => event).filter(event => selection.takes(event));
          if (events.length > 0 || page.lost !== undefined) {
            host.delivered(events.length);
            yield { events, lost: page.lost, offset: at - 1 };
          } else if (!moved) await appended(options.signal);
        }
      } finally {
        followers -= 1;
      }
    },
    get delivered() {
      return delivered;
    },
    close() {
      state.closed = true;
      stopListening();
      stopEpoch();
      tick?.();
      wake?.();
      for (const cohort of cohorts.values()) cohort.close();
      cohorts.clear();
      byTopic.clear();
      laggards.clear();
      wakeAll();
    },
    [Symbol.dispose]() {
      this.close();
    },
  };
}
