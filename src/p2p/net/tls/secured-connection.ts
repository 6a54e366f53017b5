import type { TLSSocket } from "node:tls";
import type { AbortOptions } from "@libp2p/interface";
import { AbstractMessageStream } from "@libp2p/utils";
import { raceSignal } from "../../../core/index.ts";
import type { TcpConnection } from "./tcp-connection.ts";

/** A connection whose bytes go through `node:tls` on the real socket. An abort reaches the other side as an end, not a reset. */
export class SecuredConnection extends AbstractMessageStream {
  readonly #tcp: TcpConnection;
  readonly #socket: TLSSocket;

  constructor(tcp: TcpConnection, socket: TLSSocket) {
    super({
      log: tcp.log,
      inactivityTimeout: tcp.inactivityTimeout,
      maxReadBufferLength: tcp.maxReadBufferLength,
      direction: tcp.direction,
    });
    this.#tcp = tcp;
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.onData(chunk));
    socket.on("drain", () => this.safeDispatchEvent("drain"));
    socket.on("end", () => this.onTransportClosed());
    socket.on("error", error => this.abort(error));
    socket.on("close", hadError => {
      if (hadError) this.abort(new Error("TLS transmission error"));
      else this.onTransportClosed();
      this.#endTcp();
    });
    socket.setTimeout(tcp.inactivityTimeout, () =>
      this.abort(new Error("The connection was idle for too long")),
    );
    tcp.addEventListener("close", event => {
      if (event.error === undefined) this.onTransportClosed();
      else if (event.local === true) this.abort(event.error);
      else this.onRemoteReset();
      socket.destroy();
    });
    if (socket.destroyed) queueMicrotask(() => this.onTransportClosed());
  }

  async close(options?: AbortOptions): Promise<void> {
    if (this.status !== "open") return;
    this.status = "closing";
    this.writeStatus = "closing";
    if (!this.#socket.destroyed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#socket.once("close", () => resolve());
      // What is queued, then close_notify, then FIN.
      this.#socket.destroySoon();
      await raceSignal(promise, options?.signal);
    }
    this.onTransportClosed();
    this.#endTcp();
  }

  sendData(list: Iterable<Uint8Array>): { sentBytes: number; canSendMore: boolean } {
    let canSendMore = true;
    let sentBytes = 0;
    // Corked: one write, so one run of TLS records for one message.
    this.#socket.cork();
    for (const chunk of list) {
      sentBytes += chunk.byteLength;
      canSendMore = this.#socket.write(chunk);
    }
    this.#socket.uncork();
    return { sentBytes, canSendMore };
  }

  sendPause(): void {
    this.#socket.pause();
  }

  sendResume(): void {
    this.#socket.resume();
  }

  sendReset(error: Error): void {
    this.#socket.destroy();
    this.#tcp.abort(error);
  }

  #endTcp(): void {
    if (this.#tcp.status === "open" || this.#tcp.status === "closing") this.#tcp.onTransportClosed();
  }
}
