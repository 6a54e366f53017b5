import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { WebSocket } from "ws";
import { ownerPrincipal, scopeAuthoriser, silentLogger, VirtualClock } from "../../core/index.ts";
import { createMetrics } from "../../telemetry/index.ts";
import type { SignallingHandler } from "../../webrtc/index.ts";
import { createWebSocketRouter } from "../router.ts";
import type { WebSocketComponents, WebSocketInit, WebSocketRouter } from "../types.ts";

/** A signalling handler that answers each frame with it, and remembers who came and went. */
export class EchoSignalling implements SignallingHandler {
  readonly greetings: string[] = [];
  readonly closed: string[] = [];
  onReceive: (text: string) => Promise<void> | void = () => undefined;

  connect({ greeting, send }: Parameters<SignallingHandler["connect"]>[0]) {
    this.greetings.push(greeting);
    if (greeting === "welcome") send("welcome");
    return {
      receive: async (text: string) => {
        await this.onReceive(text);
        send(text);
      },
      close: async (reason: string) => {
        this.closed.push(reason);
      },
    };
  }
}

export interface RouterFixture extends AsyncDisposable {
  readonly server: Server;
  readonly router: WebSocketRouter;
  readonly signalling: EchoSignalling;
  readonly clock: VirtualClock;
  readonly port: number;
  readonly metricsText: () => Promise<string>;
  open(path?: string, headers?: Readonly<Record<string, string>>): Promise<WebSocket>;
}

export async function serveRouter(
  limits: NonNullable<WebSocketInit["limits"]> = {},
  components: Partial<WebSocketComponents> = {},
): Promise<RouterFixture> {
  const server = createServer((_request, response) => response.end("http"));
  const signalling = new EchoSignalling();
  const clock = new VirtualClock();
  const telemetry = createMetrics({ processMetrics: false });
  const router = createWebSocketRouter({ limits: { closeTimeoutMs: 200, ...limits } })({
    server,
    admit: () => ownerPrincipal,
    authoriser: scopeAuthoriser,
    log: silentLogger,
    metrics: telemetry.metrics,
    clock,
    signalling,
    ...components,
  });
  await router.start();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    server,
    router,
    signalling,
    clock,
    port,
    metricsText: async () => (await telemetry.render()).text,
    async open(path = "/webrtc", headers = {}) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
      socket.on("error", () => undefined);
      await once(socket, "open");
      return socket;
    },
    async [Symbol.asyncDispose]() {
      await router.stop();
      server.closeAllConnections();
      server.close();
    },
  };
}

export const next = async (socket: WebSocket): Promise<string> => String((await once(socket, "message"))[0]);
export const closing = async (socket: WebSocket): Promise<{ code: number; reason: string }> => {
  const [code, reason] = await once(socket, "close");
  return { code, reason: String(reason) };
};
export const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise(resolve => setImmediate(resolve));
};
