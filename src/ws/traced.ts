import { toCidcastError, type Tracer } from "../core/index.ts";

/** Work on a message as a span of its own, named by the path it came over: what it says is nobody's to read. */
export function traced(tracer: Tracer, path: string, work: () => Promise<void> | void): () => Promise<void> {
  return async () => {
    const span = tracer.start(`message ${path}`, {
      kind: "server",
      attributes: { "network.protocol.name": "websocket", "http.route": path },
    });
    try {
      await tracer.within(span, work);
      span.end();
    } catch (error) {
      span.end(toCidcastError(error).code);
      throw error;
    }
  };
}
