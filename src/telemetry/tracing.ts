import { AsyncLocalStorage } from "node:async_hooks";
import type { Context, Span as OtelSpan, SpanStatusCode } from "@opentelemetry/api";
import { type Logger, type Span, type SpanInit, type Tracer } from "../core/index.ts";

/** Spans that wait for the collector; further ones are dropped: tracing never holds up what it looks at. */
const MAX_WAITING_SPANS = 2048;
/** Spans of one message to the collector. */
const BATCH_SPANS = 256;
/** Time between two messages, milliseconds. */
const BATCH_DELAY_MS = 1_000;
/** Longest wait for the collector, milliseconds. */
const EXPORT_TIMEOUT_MS = 5_000;
/** Attributes of a span, and the longest text of one, characters. */
const MAX_ATTRIBUTES = 32;
const MAX_ATTRIBUTE_LENGTH = 256;
/** `00-<trace>-<span>-<flags>` (W3C Trace Context, section 3.2). */
const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/;

export interface TracingInit {
  /** OTLP over HTTP: `http://127.0.0.1:4318`. `/v1/traces` is put behind an address without a path. */
  readonly endpoint: string;
  /** Sent along with each message: `name=value`. */
  readonly headers?: readonly string[] | undefined;
  /** Share of traces that are told, 0 to 1; those that others began are told when they say so. */
  readonly sampleRatio: number;
  readonly version: string;
  /** Tells nodes apart. */
  readonly instance?: string | undefined;
}

/** A tracer and the way to its collector. */
export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what waits, for so long as a message may take, and ends. */
  close(): Promise<void>;
}

/** Opens the way to a collector. The libraries are loaded here: nodes that do not trace never see them. */
export async function createTracing(init: TracingInit, log: Logger): Promise<Tracing> {
  const { api, sdk, exporter, resources } = await libraries();
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({
      "service.name": "cidcast",
      "service.version": init.version,
      ...(init.instance !== undefined && { "service.instance.id": init.instance }),
    }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(init.sampleRatio) }),
    spanLimits: { attributeCountLimit: MAX_ATTRIBUTES, attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH },
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: new exporter.OTLPTraceExporter({
          url: tracesUrl(init.endpoint),
          headers: headersOf(init.headers ?? []),
          timeoutMillis: EXPORT_TIMEOUT_MS,
        }),
        maxQueueSize: MAX_WAITING_SPANS,
        maxExportBatchSize: BATCH_SPANS,
        scheduledDelayMillis: BATCH_DELAY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const made = provider.getTracer("cidcast", init.version);
  const current = new AsyncLocalStorage<Context>();
  const contexts = new WeakMap<Span, Context>();
  const contextOf = (parent: string | undefined): Context => {
    const outside = parent === undefined ? null : TRACEPARENT.exec(parent);
    if (outside === null) return current.getStore() ?? api.ROOT_CONTEXT;
    const [, traceId = "", spanId = "", flags = "0"] = outside;
    const traceFlags = Number.parseInt(flags, 16) & 1;
    return api.trace.setSpanContext(api.ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
  };
  return {
    tracer: {
      start(name, { kind, attributes, parent, startedAtMs }: SpanInit = {}) {
        const context = contextOf(parent);
        const options = {
          kind: kind === "server" ? api.SpanKind.SERVER : api.SpanKind.INTERNAL,
          ...(attributes && { attributes: { ...attributes } }),
          ...(startedAtMs !== undefined && { startTime: startedAtMs }),
        };
        const inner = made.startSpan(name, options, context);
        const span = spanOf(inner, api.SpanStatusCode.ERROR);
        contexts.set(span, api.trace.setSpan(context, inner));
        return span;
      },
      within: (span, work) => current.run(contexts.get(span) ?? api.ROOT_CONTEXT, work),
    },
    async close() {
      await provider
        .shutdown()
        .catch((error: unknown) => log.debug({ err: error }, "the last spans were not sent"));
    },
  };
}

function spanOf(inner: OtelSpan, failed: SpanStatusCode): Span {
  return {
    set: attributes => void inner.setAttributes({ ...attributes }),
    end(errorCode) {
      if (!inner.isRecording()) return;
      if (errorCode !== undefined) {
        inner.setAttribute("error.type", errorCode);
        inner.setStatus({ code: failed, message: errorCode });
      }
      inner.end();
    },
  };
}

async function libraries() {
  const [api, sdk, exporter, resources] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
  ]);
  return { api, sdk, exporter, resources };
}

function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url.href;
}

function headersOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    }),
  );
}
