import { randomUUID } from "node:crypto";
import { MAX_CONTROL_STREAMS } from "../limits.ts";

/** A stream that somebody asked for: a CID that is known to play. */
export interface ControlStream {
  readonly id: string;
  readonly cid: string;
}

/** Streams by their id. */
export interface ControlStreams {
  /** Undefined when there are as many as there may be. */
  add(cid: string): ControlStream | undefined;
  /** Takes it away; undefined when there is none. */
  remove(id: string): ControlStream | undefined;
  /** True while a stream of that content is there. */
  has(cid: string): boolean;
}

export function createControlStreams(): ControlStreams {
  const streams = new Map<string, ControlStream>();
  return {
    add(cid) {
      if (streams.size >= MAX_CONTROL_STREAMS) return undefined;
      const stream = { id: `stream_${randomUUID()}`, cid };
      streams.set(stream.id, stream);
      return stream;
    },
    remove(id) {
      const stream = streams.get(id);
      streams.delete(id);
      return stream;
    },
    has: cid => [...streams.values()].some(stream => stream.cid === cid),
  };
}
