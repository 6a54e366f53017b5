import { isEventType, type EventType, parsePayload, type PayloadOf } from "@cidcast/protocols/notifications";
import { CidcastError, messageOf } from "../core/index.ts";
import type { EventLog } from "./log/index.ts";
import type { EmitOptions, LogEvent } from "./types.ts";

/** Writes an event to the log, from where it goes to whoever subscribed. `INVALID_REQUEST` when the data does not fit its type. */
export type EmitEvent = <T extends EventType>(type: T, data: PayloadOf<T>, options?: EmitOptions) => LogEvent;

/** Makes {@link EmitEvent} for a log. */
export function createEmitEvent(events: EventLog): EmitEvent {
  return (type, data, options = {}) => {
    if (!isEventType(type)) {
      throw new CidcastError("INVALID_REQUEST", `${String(type)} is not a type that events have`);
    }
    try {
      return events.append(type, parsePayload(type, data), options);
    } catch (cause) {
      if (cause instanceof CidcastError) throw cause;
      throw new CidcastError("INVALID_REQUEST", `The data of ${type} does not fit: ${messageOf(cause)}`, {
        cause,
      });
    }
  };
}
