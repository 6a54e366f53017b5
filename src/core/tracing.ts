/** What is said of a piece of work. Never a secret, an address with its query, or an argument. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A piece of work with its beginning and end. */
export interface Span {
  set(attributes: SpanAttributes): void;
  /** Ends it; with an error's code it failed. Safe to call twice. */
  end(errorCode?: string): void;
}

export interface SpanInit {
  /** `server`: somebody outside asked for it. */
  readonly kind?: "server" | "internal" | undefined;
  readonly attributes?: SpanAttributes | undefined;
  /** Who asked, in the words of W3C Trace Context (`traceparent`); default: the work this one is begun in. */
  readonly parent?: string | undefined;
  /** Default: now. Milliseconds since 1970. */
  readonly startedAtMs?: number | undefined;
}

/** Tells a collector what the node does and how long it takes. Parts that are given none do nothing for it. */
export interface Tracer {
  start(name: string, init?: SpanInit): Span;
  /** Does work as a part of a span: what is begun in it has the span as its parent. */
  within<T>(span: Span, work: () => T): T;
}
