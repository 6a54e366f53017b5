import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance, type RouteOptions } from "fastify";
import { CidcastError, type Logger } from "../core/index.ts";
import { addRoute } from "./api/add.ts";
import { contentRoutes } from "./api/content.ts";
import { collectDocs, docsRoutes } from "./api/docs.ts";
import { eventRoutes } from "./api/events.ts";
import { webhookRoutes } from "./api/webhooks.ts";
import { healthRoutes } from "./api/health.ts";
import { playbackRoutes } from "./api/playback.ts";
import { nodeRoutes } from "./api/node.ts";
import { stallRoutes } from "./api/stalls.ts";
import { captionRoutes } from "./api/captions.ts";
import { pictureRoutes } from "./api/pictures.ts";
import { prepareRoutes } from "./api/prepare.ts";
import type { ApiComponents } from "./api/types.ts";
import { streamRoutes } from "./api/streams.ts";
import { checkRoutes } from "./api/check.ts";
import { transferRoutes } from "./api/transfers.ts";
import { controlRoutes } from "./control/routes.ts";
import { createDoor, type Door } from "./door/door.ts";
import { contentViews } from "./door/tenants.ts";
import { hostInUrl } from "./door/hosts.ts";
import { fileComponents } from "./api/types.ts";
import { gatewayRoutes } from "./gateway/routes.ts";
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from "./limits.ts";
import { httpMetrics } from "./metrics.ts";
import { pageRoutes } from "./pages/routes.ts";
import { answerErrors, answerMalformed } from "./routing/answer-errors.ts";
import { fromHttpError, sendError } from "./routing/errors.ts";
import { guardRequests, type RequestGuard } from "./routing/guard.ts";
import { acceptJson } from "./routing/json-body.ts";
import { mountedRoutes } from "./routing/mounted.ts";
import { type Certificate, readCertificate, warnOfEnd, watchCertificate } from "./tls/certificate.ts";
import { traceRequests } from "./routing/trace.ts";
import { uploadRoutes } from "./uploads/routes.ts";
import { whepRoutes } from "./whep/routes.ts";
import type { HttpComponents, HttpInit, HttpServer, RegisteredRoute } from "./types.ts";

/** How often unfinished requests are looked for, as a share of the time their headers have. */
const CHECKS_PER_TIMEOUT = 5;
/** Longest parameter in a path, characters: CIDs may hold their content. */
const MAX_PARAM_LENGTH = 2048;
/** Connections that may wait to be taken: as many clients come back at once after a lost link. The system cuts it to its own limit. */
const BACKLOG = 4096;

/** Makes the HTTP door. Throws `INVALID_CONFIG` at once when it would serve other machines without a token. */
export function createHttpServer(init: HttpInit): (components: HttpComponents) => HttpServer {
  // Before anything else of the node is started: settings that cannot be are told first.
  createDoor(init, () => init.port);
  return components => {
    const limits: HttpLimits = { ...DEFAULT_HTTP_LIMITS, ...init.limits };
    const door = createDoor(init, () => listening(server)?.port ?? init.port, components.tenants);
    const registered: RouteOptions[] = [];
    // Read late: a scope's own hooks, which decide for the routes of a plugin, run after this one.
    const routes = (): RegisteredRoute[] =>
      registered.flatMap(({ method, url, config }) =>
        [method].flat().map(name => ({ method: name, url, action: config?.action })),
      );
    const guard: { current?: RequestGuard } = {};
    const http = httpMetrics(components.metrics, () => guard.current?.inFlight() ?? 0);
    const certificate = init.tls === undefined ? undefined : readCertificate(init.tls, Date.now());
    const { app, server, sockets } = createApp(limits, certificate);
    const stopping = new AbortController();
    const unwatch = serveRenewals(server, init.tls, certificate, components.log);
    const contentFor = contentViews(components.content, components.tenants);
    const api: ApiComponents = { ...components, contentFor, init, limits, http, stopping: stopping.signal };
    const log = components.log.child({ part: "http" });
    const reveal = init.debug === true && door.loopback;

    app.decorateRequest("principal");
    app.addHook("onRoute", options => {
      registered.push(options);
    });
    if (components.tracer !== undefined) traceRequests(app, components.tracer);
    guard.current = guardRequests(app, {
      door,
      limits,
      log,
      metrics: http,
      authoriser: components.authoriser,
      tenants: components.tenants,
    });
    answerErrors(app, { routes, log, reveal });

    let started: Promise<void> | undefined;
    let stopped: Promise<void> | undefined;
    return {
      name: "http",
      server,
      address: () => {
        const place = listening(server);
        if (place === undefined) throw new CidcastError("CONFLICT", "The HTTP server does not listen yet");
        return place;
      },
      admitUpgrade: request => admitUpgrade(door, request, guard.current?.stopping() ?? false),
      setRules: rules => door.setRules(rules),
      routes,
      start: () => (started ??= start(app, server, init, api)),
      stop() {
        stopping.abort(new CidcastError("SHUTTING_DOWN", "The node is stopping"));
        unwatch();
        return (stopped ??= stop({ app, server, sockets, limits, guard: guard.current, started }));
      },
    };
  };
}

function createApp(
  limits: HttpLimits,
  certificate: Certificate | undefined,
): {
  readonly app: FastifyInstance;
  readonly server: Server;
  readonly sockets: ReadonlySet<Socket>;
} {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  const app = fastify({
    // Loading code takes as long as the machine needs: it would end a start on a busy one.
    pluginTimeout: 0,
    serverFactory: handler => {
      server = createListener(
        {
          maxHeaderSize: limits.maxHeaderBytes,
          headersTimeout: limits.headersTimeoutMs,
          keepAliveTimeout: limits.keepAliveMs,
          connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / CHECKS_PER_TIMEOUT),
          // Uploads may take hours: bodies have a pace instead.
          requestTimeout: 0,
          // An offer of another protocol is passed over (RFC 9110 section 7.8): curl offers h2c.
          shouldUpgradeCallback: request => request.headers.upgrade?.toLowerCase() === "websocket",
          noDelay: true,
        },
        handler,
        certificate,
      );
      server.timeout = limits.unreadAnswerMs;
      server.maxConnections = limits.maxConnections;
      server.on("connection", socket => {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      });
      return server;
    },
    clientErrorHandler: answerMalformed,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    bodyLimit: limits.maxJsonBytes,
    // Schemas are there for the documentation: routes parse with zod.
    exposeHeadRoutes: true,
    return503OnClosing: false,
    frameworkErrors: (error, _request, reply) => {
      sendError(reply, fromHttpError(error));
    },
  });
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => data => JSON.stringify(data));
  if (server === undefined) throw new CidcastError("INTERNAL", "the HTTP library made no server");
  return { app, server, sockets };
}

/** Takes up a renewed certificate without a restart; returns what ends that. */
function serveRenewals(
  server: Server,
  files: HttpInit["tls"],
  certificate: Certificate | undefined,
  log: Logger,
): () => void {
  if (files === undefined || certificate === undefined || !(server instanceof TlsServer))
    return () => undefined;
  warnOfEnd(certificate, log);
  server.on("tlsClientError", error => log.debug({ err: error }, "TLS did not come to be"));
  return watchCertificate(files, { onChange: renewed => server.setSecureContext(renewed), log });
}

/** A server of HTTP, or of HTTP over TLS. */
function createListener(
  options: ServerOptions,
  handler: RequestListener,
  certificate: Certificate | undefined,
): Server {
  if (certificate === undefined) return createServer(options, handler);
  const handshakeTimeout = options.headersTimeout;
  // Both kinds of server do here what the plain one does.
  return createTlsServer(
    { ...options, ...certificate, ...(handshakeTimeout && { handshakeTimeout }) },
    handler,
  );
}

async function start(
  app: FastifyInstance,
  server: Server,
  init: HttpInit,
  api: ApiComponents,
): Promise<void> {
  acceptJson(app, api.limits);
  await collectDocs(app, init.version);
  // Scopes of their own: each may change how bodies are read and answers look.
  await app.register(async scope => {
    contentRoutes(scope, api);
    nodeRoutes(scope, api);
    stallRoutes(scope, api);
    transferRoutes(scope, api);
    checkRoutes(scope, api);
    prepareRoutes(scope, api);
    captionRoutes(scope, api);
    pictureRoutes(scope, api);
    playbackRoutes(scope, api);
    streamRoutes(scope, api);
    eventRoutes(scope, api);
    webhookRoutes(scope, api);
    controlRoutes(scope, api);
    healthRoutes(scope, api);
    gatewayRoutes(scope, fileComponents(api));
  });
  await app.register(async scope => addRoute(scope, api));
  await app.register(async scope => uploadRoutes(scope, api));
  await app.register(async scope => whepRoutes(scope, api));
  const mounted = { routes: api.mounted ?? [], limits: api.limits };
  await app.register(async scope => mountedRoutes(scope, mounted));
  await app.register(async scope => pageRoutes(scope, api));
  await app.register(docsRoutes);
  await app.ready();
  await listen(server, init);
}

async function listen(server: Server, { host, port }: HttpInit): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === "EADDRINUSE") {
      const message = `Another program listens on ${hostInUrl(host)}:${port}: choose another with --port`;
      reject(new CidcastError("ADDRESS_IN_USE", message, { cause: error }));
      return;
    }
    reject(
      new CidcastError("INVALID_CONFIG", `Cannot listen on ${hostInUrl(host)}:${port}: ${error.message}`, {
        cause: error,
      }),
    );
  };
  server.once("error", onError);
  server.listen({ host, port, backlog: BACKLOG }, () => {
    server.off("error", onError);
    resolve();
  });
  await promise;
}

function listening(server: Server): { host: string; port: number; url: string } | undefined {
  const address = server.address();
  if (address === null || typeof address === "string") return undefined;
  const host = address.address === "0.0.0.0" || address.address === "::" ? "127.0.0.1" : address.address;
  return {
    host: address.address,
    port: address.port,
    url: `${server instanceof TlsServer ? "https" : "http"}://${hostInUrl(host)}:${address.port}`,
  };
}

async function admitUpgrade(
  door: Door,
  request: IncomingMessage,
  stopping: boolean,
): ReturnType<Door["admitUpgrade"]> {
  if (stopping) throw new CidcastError("SHUTTING_DOWN", "The node is stopping");
  return door.admitUpgrade(request);
}

async function stop(parts: {
  readonly app: FastifyInstance;
  readonly server: Server;
  readonly sockets: ReadonlySet<Socket>;
  readonly limits: HttpLimits;
  readonly guard: RequestGuard | undefined;
  readonly started: Promise<void> | undefined;
}): Promise<void> {
  const { app, server, sockets, limits, guard, started } = parts;
  await started?.catch(() => undefined);
  const closed = new Promise<void>(resolve => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  await guard?.drain(limits.stopGraceMs);
  for (const socket of sockets) socket.destroy();
  await closed;
  await app.close();
}
