import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeStatus } from "@cidcast/protocols/node-api";
import { scopeAuthoriser, silentLogger } from "../../core/index.ts";
import { createMetrics } from "../../telemetry/index.ts";
import { createHttpServer } from "../server.ts";
import type { HttpComponents, HttpInit, HttpServer } from "../types.ts";
import { FakeContent } from "./fake-content.ts";

/** Status of a node in tests. */
export const TEST_STATUS: NodeStatus = {
  name: "cidcast",
  version: "0.0.0-test",
  startedAtMs: 1,
  parts: [
    { name: "content", state: "ready", required: true },
    { name: "webrtc", state: "disabled", reason: "webrtc.enabled is false", required: false },
  ],
  contentCount: 0,
  peers: 0,
  sessions: 0,
  maxSessions: 10,
};

/** A server on a free loopback port, with content in memory; stopped by `await using`. */
export interface TestServer extends AsyncDisposable {
  readonly http: HttpServer;
  readonly content: FakeContent;
  readonly url: string;
  readonly port: number;
  readonly webRoot: string;
  readonly shutdowns: { count: number };
  readonly metricsText: () => Promise<string>;
}

/** Starts a server as the node does. */
export async function serve(
  init: Partial<HttpInit> = {},
  components: Partial<HttpComponents> = {},
): Promise<TestServer> {
  const content = new FakeContent();
  const webRoot = await mkdtemp(join(tmpdir(), "cidcast-web-"));
  const telemetry = createMetrics({ processMetrics: false });
  const shutdowns = { count: 0 };
  const http = createHttpServer({
    host: "127.0.0.1",
    port: 0,
    maxUploadBytes: 1024 * 1024,
    version: "0.0.0-test",
    ...init,
  })({
    content,
    authoriser: scopeAuthoriser,
    log: silentLogger,
    metrics: telemetry.metrics,
    renderMetrics: telemetry.render,
    status: () => TEST_STATUS,
    webRoot,
    requestShutdown: () => {
      shutdowns.count += 1;
    },
    ...components,
  });
  await http.start();
  const { url, port } = http.address();
  return {
    http,
    content,
    url,
    port,
    webRoot,
    shutdowns,
    metricsText: async () => (await telemetry.render()).text,
    async [Symbol.asyncDispose]() {
      await http.stop();
      await rm(webRoot, { recursive: true, force: true });
    },
  };
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON. */
  json(): Answered;
}
// Tests look into answers of every shape.
// oxlint-disable-next-line typescript/no-explicit-any
type Answered = any;

/** A request exactly as told: Host and Origin are what the test says, which `fetch` would not allow. */
export async function ask(
  server: Pick<TestServer, "port">,
  path: string,
  init: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly body?: string | Uint8Array | FormData;
  } = {},
): Promise<Answer> {
  const encoded = init.body instanceof FormData ? new Response(init.body) : undefined;
  const body = encoded === undefined ? (init.body as string | Uint8Array | undefined) : await encoded.bytes();
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = httpRequest(
    {
      host: "127.0.0.1",
      port: server.port,
      path,
      method: init.method ?? "GET",
      agent: false,
      headers: {
        ...(encoded && { "content-type": encoded.headers.get("content-type") ?? "" }),
        ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
        ...(init.headers as Record<string, string>),
      },
    },
    response => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString("utf8");
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: bytes,
          text,
          json: (): Answered => JSON.parse(text),
        });
      });
    },
  );
  request.once("error", reject);
  request.end(body);
  return promise;
}
