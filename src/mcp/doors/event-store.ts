import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";
import { MAX_STORED_EVENT_BYTES, MAX_STORED_EVENTS } from "../limits.ts";

interface Stored {
  readonly id: string;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
  readonly bytes: number;
}

/** Keeps the last events of one session, so that a client whose stream broke gets what it missed. */
export function createEventStore(): EventStore {
  const events: Stored[] = [];
  let bytes = 0;
  let next = 1;
  return {
    async storeEvent(streamId, message) {
      const stored = { id: String(next++), streamId, message, bytes: JSON.stringify(message).length };
      events.push(stored);
      bytes += stored.bytes;
      while (events.length > MAX_STORED_EVENTS || bytes > MAX_STORED_EVENT_BYTES) {
        bytes -= events.shift()?.bytes ?? 0;
      }
      return stored.id;
    },
    async getStreamIdForEventId(eventId) {
      return events.find(event => event.id === eventId)?.streamId;
    },
    async replayEventsAfter(lastEventId, { send }) {
      const last = events.find(event => event.id === lastEventId);
      if (last === undefined) throw new Error("The event is no longer kept");
      for (const event of events.slice(events.indexOf(last) + 1)) {
        // An event without content only marks a place.
        if (event.streamId === last.streamId && Object.keys(event.message).length > 0) {
          await send(event.id, event.message);
        }
      }
      return last.streamId;
    },
  };
}
