import type { Principal } from "../core/index.ts";

/** One event of the log. What `data` means is known by those who write and read it, not by the log. */
export interface LogEvent {
  /** Place in the log: each event has the number after the one before it. */
  readonly offset: number;
  readonly topic: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Wall clock, milliseconds since 1970. */
  readonly atMs: number;
  /** Which part of the node, or which node, says so. */
  readonly source?: string;
  /** Only principals of this tenant, and of none, may see the event. */
  readonly tenantId?: string;
  /** Events of one topic and key replace each other for subscribers that are behind. */
  readonly latestKey?: string;
}

/** What an emitter may say beside topic and data. */
export interface EmitOptions {
  readonly source?: string;
  readonly tenantId?: string;
  readonly latestKey?: string;
}

/** A run of events that were lost to a reader, both ends included. */
export interface Lost {
  readonly fromOffset: number;
  readonly toOffset: number;
}

/** Decides what a principal may see. Asked before any filter. */
export interface Audience {
  /** Principals of one class see the same events. */
  classOf(principal: Principal): string;
  maySee(audienceClass: string, event: LogEvent): boolean;
}

/** A principal of a tenant sees the events of that tenant; one of no tenant sees all. */
export const tenantAudience: Audience = {
  classOf: principal => principal.tenantId ?? "",
  maySee: (audienceClass, event) => audienceClass === "" || event.tenantId === audienceClass,
};

/** What carries the frames of a connection: a WebSocket, a libp2p stream, anything in order. */
export interface Carrier {
  /** Sends one text frame; false when it is closed. */
  send(text: string): boolean;
  /**
   * Writes frames as they go over a WebSocket, several back to back; false when it is closed. Left out where the
   * carrier makes its own frames.
   */
  sendFrames?(frames: Buffer): boolean;
  /** Bytes accepted and not yet handed to the system. */
  bufferedBytes(): number;
  /** Ends the connection, saying why. */
  close(code: number, reason: string): void;
}

/** Who connects, and over what. */
export interface SocketInit extends Carrier {
  readonly principal: Principal;
  /** Address of the client, for limits per address. */
  readonly remoteAddress?: string | undefined;
  /** The query of the request's URL. */
  readonly query?: URLSearchParams;
}

/** One connection as its carrier sees it. */
export interface SocketConnection {
  /** One text frame of the client. Never throws: errors are answered. */
  receive(text: string): void | Promise<void>;
  /** The carrier has room again. Calling it is not needed, but is faster than waiting for the next flush. */
  drained?(): void;
  /** The carrier is gone. */
  close(reason: string): void | Promise<void>;
}

/** Something that WebSockets connect to. */
export interface SocketHandler {
  connect(init: SocketInit): SocketConnection;
}
