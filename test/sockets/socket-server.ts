import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type PerMessageDeflateOptions, type RawData, WebSocket, WebSocketServer } from "ws";
import { type Principal, ownerPrincipal } from "../../src/core/index.ts";

/** What a handler of the node has to offer to be mounted. */
interface Handler {
  connect(init: {
    send(text: string): boolean;
    sendFrames?(frames: Buffer): boolean;
    bufferedBytes(): number;
    close(code: number, reason: string): void;
    readonly principal: Principal;
    readonly remoteAddress?: string | undefined;
    readonly query?: URLSearchParams;
  }): {
    receive(text: string): void | Promise<void>;
    drained?(): void;
    close(reason: string): void | Promise<void>;
  };
}

export interface SocketServer extends AsyncDisposable {
  readonly url: string;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<WebSocket>;
}

export interface SocketServerInit {
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions;
  readonly principal?: Principal;
  readonly maxPayload?: number;
  readonly port?: number;
}

/** Serves handlers by path over real WebSockets on a free port of the loopback interface. */
export async function serveSockets(
  routes: Readonly<Record<string, Handler>>,
  init: SocketServerInit = {},
): Promise<SocketServer> {
  const http = createServer();
  const wss = new WebSocketServer({
    noServer: true,
    perMessageDeflate: init.perMessageDeflate ?? false,
    maxPayload: init.maxPayload ?? 1024 * 1024,
  });
  http.on("upgrade", (request, socket: Socket, head) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const handler = routes[url.pathname];
    if (handler === undefined) return socket.destroy();
    socket.setNoDelay(true);
    wss.handleUpgrade(request, socket, head, ws => {
      const compressed = ws.extensions.includes("permessage-deflate");
      const connection = handler.connect({
        principal: init.principal ?? ownerPrincipal,
        remoteAddress: socket.remoteAddress,
        query: url.searchParams,
        send: text => {
          if (ws.readyState !== WebSocket.OPEN) return false;
          ws.send(text);
          return true;
        },
        ...(compressed
          ? {}
          : {
              sendFrames: (frames: Buffer) => {
                if (ws.readyState !== WebSocket.OPEN) return false;
                socket.write(frames);
                return true;
              },
            }),
        bufferedBytes: () => ws.bufferedAmount,
        close: (code, reason) => ws.close(code, reason),
      });
      socket.on("drain", () => connection.drained?.());
      ws.on("message", (data: RawData) => void connection.receive(textOf(data)));
      ws.on("error", () => undefined);
      ws.on("close", () => void connection.close("remote"));
    });
    return undefined;
  });
  http.listen(init.port ?? 0, "127.0.0.1");
  await once(http, "listening");
  // The address of a TCP server is an object.
  const { port } = http.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}`,
    sockets: wss.clients,
    async [Symbol.asyncDispose]() {
      for (const client of wss.clients) client.terminate();
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}

function textOf(data: RawData): string {
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString();
}

/** A WebSocket client that keeps what it hears until it is asked for. */
export class TestClient implements Disposable {
  readonly ws: WebSocket;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #heard: string[] = [];
  readonly #waiting: ((text: string) => void)[] = [];

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("message", (data: RawData) => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#heard.push(textOf(data));
      else waiting(textOf(data));
    });
    this.closed = new Promise(resolve => {
      ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    ws.on("error", () => undefined);
  }

  static async open(
    url: string,
    options: { readonly perMessageDeflate?: boolean } = {},
  ): Promise<TestClient> {
    const ws = new WebSocket(url, { perMessageDeflate: options.perMessageDeflate ?? false });
    const client = new TestClient(ws);
    await new Promise<void>((resolve, reject) => {
      ws.on("open", () => resolve());
      ws.on("error", reject);
    });
    return client;
  }

  send(value: unknown): void {
    this.ws.send(typeof value === "string" ? value : JSON.stringify(value));
  }

  /** The next frame, as text. */
  text(): Promise<string> {
    const heard = this.#heard.shift();
    if (heard !== undefined) return Promise.resolve(heard);
    return new Promise(resolve => this.#waiting.push(resolve));
  }

  /** The next frame. */
  async next(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.text()) as Record<string, unknown>;
  }

  /** The next frame that `accept` takes; those before it are passed over. */
  async until(accept: (frame: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    for (;;) {
      const frame = await this.next();
      if (accept(frame)) return frame;
    }
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.closed;
  }

  [Symbol.dispose](): void {
    this.ws.terminate();
  }
}
