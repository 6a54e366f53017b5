import { FrameParser, MAX_RESPONSE_BYTES } from "@cidcast/protocols/content";
import { expect, test } from "vitest";
import { noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { MemoryBlocks } from "../../p2p/test-support.ts";
import { MAX_CONTENT_STREAMS_PER_PEER, MAX_SERVED_STREAMS } from "../limits.ts";
import { transferMetrics } from "../metrics.ts";
import type { ByteStream } from "../types.ts";
import { serveContent } from "./content-service.ts";
import { streamPair } from "./stream-pair.ts";

test("streams beyond the most that are served at once are told that the node is busy", async () => {
  const handlers: ((stream: ByteStream) => Promise<void>)[] = [];
  let maxInboundStreams: number | undefined;
  await serveContent({
    peer: {
      registerProtocolHandler: async (_protocol, handler, options) => {
        handlers.push(handler);
        maxInboundStreams = options?.maxInboundStreams;
        return async () => undefined;
      },
    },
    blocks: new MemoryBlocks(),
    metrics: transferMetrics(noMetrics),
    clock: systemClock,
    log: silentLogger,
  });
  expect(maxInboundStreams).toBe(MAX_CONTENT_STREAMS_PER_PEER);
  const pairs = Array.from({ length: MAX_SERVED_STREAMS + 1 }, () => streamPair());
  const [serve = async () => undefined] = handlers;
  const served = pairs.map(([, theirs]) => serve(theirs));
  const [last] = pairs.at(-1) ?? [];
  const told = Promise.withResolvers<unknown>();
  const parser = new FrameParser({ maxPayloadBytes: MAX_RESPONSE_BYTES, onFrame: told.resolve });
  last?.consume({ onData: chunk => parser.push(chunk) });
  expect(await told.promise).toMatchObject({ type: "error", id: 0, code: "BUSY" });
  for (const [ours] of pairs) await ours.close();
  await Promise.all(served);
  const [again, theirs] = streamPair();
  const answered = serve(theirs);
  await again.close();
  await answered;
});
