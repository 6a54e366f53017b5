import type { IncomingMessage, Server } from "node:http";
import type {
  Action,
  Authoriser,
  CidcastError,
  Clock,
  Logger,
  Metrics,
  Principal,
  Service,
  Tracer,
} from "../core/index.ts";
import type { SignallingHandler } from "../webrtc/index.ts";
import type { WebSocketLimits } from "./limits.ts";

export interface WebSocketInit {
  readonly limits?: Partial<WebSocketLimits>;
}

export interface WebSocketComponents {
  /** The HTTP server whose upgrades are taken. */
  readonly server: Server;
  /** Checks Host and Origin and tells who asks; throws the refusal. */
  readonly admit: (request: IncomingMessage) => Principal | Promise<Principal>;
  readonly authoriser: Authoriser;
  /** Calls `onEnd` when the principal is one no longer: its socket is then closed. Default: never. */
  readonly watch?: ((principal: Principal, onEnd: () => void) => () => void) | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Default: the machine's own time. */
  readonly clock?: Clock;
  /** Undefined: messages are not traced. */
  readonly tracer?: Tracer | undefined;
  /** Undefined: WebRTC is switched off or could not start; the signalling paths then say so. */
  readonly signalling?: SignallingHandler | undefined;
  /** Why there is no signalling, in words for people. */
  readonly signallingMissing?: string | undefined;
}

/** What the handler of a path can do with its socket. */
export interface SocketContext {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  /** Address of the client; undefined when it is gone already. */
  readonly remoteAddress: string | undefined;
  /** Sends one frame: text for a string, else binary. False when the socket is closed or the client reads too slowly. */
  send(data: string | Uint8Array): boolean;
  /**
   * Writes frames of a server as they go over the wire, several back to back; false as in `send`. None may depend on one
   * before it.
   */
  sendFrames(frames: Buffer): boolean;
  /** Bytes accepted and not yet handed to the system. */
  bufferedBytes(): number;
  /** Ends the connection. Codes as in RFC 6455 section 7.4. */
  close(code: number, reason: string): void;
}

/** One connection, as its path's handler sees it. */
export interface SocketHandler {
  /** Messages begin in order; how many run at a time is bounded. */
  onText(text: string): Promise<void> | void;
  /** Without it, binary frames end the connection (1003). */
  onBinary?(data: Uint8Array): Promise<void> | void;
  /** What was waiting to be sent is gone: there is room again. */
  onDrain?(): void;
  onClose(reason: string): Promise<void> | void;
}

/** A path and who may connect to it. */
export interface SocketRoute {
  readonly path: string;
  readonly action: Action;
  /** False for paths where only the server speaks. Default true. */
  readonly clientSpeaks?: boolean;
  /** Largest message that is read, bytes. Default: the router's own limit. */
  readonly maxMessageBytes?: number;
  /**
   * What a client whose token is refused is told: the handshake is then made, and the socket closed with it. Without it
   * the handshake is refused.
   */
  readonly refuse?: (error: CidcastError) => { readonly code: number; readonly reason: string };
  connect(context: SocketContext): SocketHandler;
}

/** The WebSocket door of a node. */
export interface WebSocketRouter extends Service {
  readonly name: "ws";
  /** Adds a path, before or after `start`; returns what takes it away. Sockets that are open stay. `CONFLICT` when it is taken. */
  handle(route: SocketRoute): () => void;
  routes(): readonly SocketRoute[];
  /** Sockets open now. */
  connections(): number;
}
