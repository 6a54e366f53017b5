import type { AbortOptions, Clock } from "../../core/index.ts";
import { type Fanout, notificationOf, type Selection } from "../fanout/index.ts";
import type { EventLog } from "../log/index.ts";

/** One event of a server-sent stream, ready to be written. */
export type SseChunk = string;

export interface SseComponents {
  readonly events: EventLog;
  readonly fanout: Fanout;
  readonly clock: Clock;
}

export interface SseOptions extends AbortOptions {
  /** The `Last-Event-ID` header: `<epoch>:<offset>`. */
  readonly lastEventId?: string | undefined;
}

/** `id` of an event: where a client that comes back goes on, through whatever door. */
export function eventId(epoch: string, offset: number): string {
  return `${epoch}:${offset}`;
}

/** Reads an `id` back; undefined when it is none of ours. */
export function parseEventId(text: string): { readonly epoch: string; readonly offset: number } | undefined {
  const match = /^(?<epoch>[\w-]{1,128}):(?<offset>\d{1,15})$/.exec(text)?.groups;
  if (match?.["epoch"] === undefined) return undefined;
  return { epoch: match["epoch"], offset: Number(match["offset"]) };
}

/**
 * The log as server-sent events: each has its notification as data and its position as id. Begins with `welcome`, or with
 * `resync_required` where it cannot go on after `lastEventId`. Pulled: a slow reader queues nothing here.
 */
export async function* sseEvents(
  components: SseComponents,
  selection: Selection,
  options: SseOptions = {},
): AsyncGenerator<SseChunk, void, void> {
  const { events, fanout, clock } = components;
  const asked = options.lastEventId === undefined ? undefined : parseEventId(options.lastEventId);
  const gap =
    options.lastEventId === undefined
      ? undefined
      : asked === undefined
        ? "the last event id is none of this node's"
        : events.gapAfter(asked.epoch, asked.offset);
  const from = asked === undefined || gap !== undefined ? events.nextOffset : asked.offset + 1;
  const place = (offset: number): Readonly<Record<string, unknown>> => ({
    timestamp: clock.now() / 1000,
    epoch: events.epoch,
    offset,
  });
  yield gap === undefined
    ? chunk("welcome", eventId(events.epoch, from - 1), {
        type: "welcome",
        message: "Connected to IPFS notification service",
        resumed: asked !== undefined,
        ...place(from - 1),
      })
    : chunk("resync_required", eventId(events.epoch, from - 1), {
        type: "resync_required",
        reason: gap,
        ...place(from - 1),
      });
  for await (const page of fanout.follow(selection, { from, signal: options.signal })) {
    let text = "";
    if (page.lost !== undefined) {
      text += chunk("events_dropped", eventId(events.epoch, page.lost.toOffset), {
        type: "events_dropped",
        from_offset: page.lost.fromOffset,
        to_offset: page.lost.toOffset,
        reason: "this client reads more slowly than events come",
        ...place(page.lost.toOffset),
      });
    }
    for (const event of page.events) {
      text += chunk("notification", eventId(events.epoch, event.offset), notificationOf(event));
    }
    yield text;
  }
}

function chunk(event: string, id: string, data: Readonly<Record<string, unknown>>): SseChunk {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
