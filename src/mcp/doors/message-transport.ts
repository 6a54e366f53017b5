import { RPC_ERRORS } from "@cidcast/protocols/mcp";
import {
  isJSONRPCErrorResponse,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  ProtocolError,
  type Transport,
} from "@modelcontextprotocol/server";
import { MAX_IN_FLIGHT } from "../limits.ts";
import { errorMessage } from "./message.ts";

/** A transport that is handed messages and hands messages on: what sockets, streams and data channels have in common. */
export class MessageTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #send: (text: string) => unknown;
  readonly #onClosed: () => void;
  readonly #onLimit: () => void;
  readonly #inFlight = new Set<string | number>();
  #waiting: JSONRPCMessage[] | undefined = [];
  readonly #idleWaiters: (() => void)[] = [];
  #closed = false;

  constructor(init: {
    /** Sends one frame. */
    readonly send: (text: string) => unknown;
    /** The server has closed the connection. */
    readonly onClosed: () => void;
    /** A request was refused because too many run. */
    readonly onLimit: () => void;
  }) {
    this.#send = init.send;
    this.#onClosed = init.onClosed;
    this.#onLimit = init.onLimit;
  }

  /** Requests that are not answered yet. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  async start(): Promise<void> {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.onmessage?.(message);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
      if (message.id !== undefined) this.#inFlight.delete(message.id);
    }
    if (!this.#closed) this.#send(JSON.stringify(message));
    this.#tellIdle();
  }

  /** Resolves when every request has been answered. */
  async idle(): Promise<void> {
    if (this.#closed || this.#inFlight.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idleWaiters.push(resolve);
    await promise;
  }

  #tellIdle(): void {
    if (!this.#closed && this.#inFlight.size > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#inFlight.clear();
    this.#tellIdle();
    this.onclose?.();
    this.#onClosed();
  }

  /** Takes one message of the client. */
  deliver(message: JSONRPCMessage): void {
    if (this.#closed) return;
    if (isJSONRPCRequest(message)) {
      if (this.#inFlight.size >= MAX_IN_FLIGHT) {
        this.#onLimit();
        const error = new ProtocolError(
          RPC_ERRORS.limitReached,
          `At most ${MAX_IN_FLIGHT} requests run at a time`,
        );
        this.#send(JSON.stringify(errorMessage(message.id, error)));
        return;
      }
      this.#inFlight.add(message.id);
    } else if ("method" in message && message.method === "notifications/cancelled") {
      const id = message.params?.["requestId"];
      if (typeof id === "string" || typeof id === "number") this.#inFlight.delete(id);
      this.#tellIdle();
    }
    if (this.#waiting !== undefined) this.#waiting.push(message);
    else this.onmessage?.(message);
  }
}
