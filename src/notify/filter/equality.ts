import type { Filters } from "@cidcast/protocols/notifications";
import type { LogEvent } from "../types.ts";

/** Takes or refuses an event. */
export type Predicate = (event: LogEvent) => boolean;

/** The event as subscribers see it: what a path of a filter walks. */
export function field(event: LogEvent, name: string): unknown {
  switch (name) {
    case "type":
      return "notification";
    case "notification_type":
      return event.topic;
    case "data":
      return event.data;
    case "timestamp":
      return event.atMs / 1000;
    case "source":
      return event.source;
    case "tenant":
      return event.tenantId;
    case "offset":
      return event.offset;
    default:
      return undefined;
  }
}

/** One step into a value; undefined where there is nothing of that name. */
export function step(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  // Own property of an object that came out of JSON.
  return (value as Readonly<Record<string, unknown>>)[name];
}

/**
 * Equality as the notification protocol has it: a plain key is looked up in `data` and passes when it is absent there;
 * a key with dots walks the whole notification and must be there.
 */
export function equalityFilter(filters: Filters): Predicate {
  const tests = Object.entries(filters).map(([key, expected]): Predicate => {
    if (!key.includes(".")) {
      return event => !Object.hasOwn(event.data, key) || event.data[key] === expected;
    }
    const [first = "", ...rest] = key.split(".");
    return event => {
      const found = rest.reduce(step, field(event, first));
      return found !== undefined && found === expected;
    };
  });
  return event => tests.every(test => test(event));
}
