import { z } from "zod";
import { CidcastError, type Logger, messageOf } from "../../core/index.ts";
import { MAX_ROUTER_ANSWER_BYTES, MAX_ROUTER_PROVIDERS, ROUTER_TIMEOUT_MS } from "../limits.ts";
import type { Provider } from "./types.ts";

/** A record of the schema "peer". @see https://specs.ipfs.tech/routing/http-routing-v1/ */
const peerRecord = z.looseObject({
  Schema: z.literal("peer"),
  ID: z.string().min(1).max(128),
  Addrs: z.array(z.string().max(1024)).max(256).nullish(),
});
const answer = z.looseObject({
  Providers: z.array(z.unknown()).nullish(),
  Peers: z.array(z.unknown()).nullish(),
});

export interface DelegatedRoutersComponents {
  readonly log: Logger;
}

/** Asks HTTP routers who has content (`/routing/v1`). */
export class DelegatedRouters {
  readonly #urls: readonly string[];
  readonly #log: Logger;

  constructor(urls: readonly string[], { log }: DelegatedRoutersComponents) {
    this.#urls = urls.map(url => url.replace(/\/+$/, ""));
    this.#log = log;
  }

  get size(): number {
    return this.#urls.length;
  }

  /** Providers that each router names, as they come. A router that fails is logged. */
  findProviders(cid: string, signal: AbortSignal): AsyncIterable<Provider>[] {
    return this.#urls.map(url => this.#ask(`${url}/routing/v1/providers/${encodeURIComponent(cid)}`, signal));
  }

  findPeer(peerId: string, signal: AbortSignal): AsyncIterable<Provider>[] {
    return this.#urls.map(url => this.#ask(`${url}/routing/v1/peers/${encodeURIComponent(peerId)}`, signal));
  }

  async *#ask(url: string, signal: AbortSignal): AsyncIterable<Provider> {
    try {
      const response = await fetch(url, {
        headers: { accept: "application/x-ndjson, application/json;q=0.9" },
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(ROUTER_TIMEOUT_MS)]),
      });
      // 404 says that nobody is known.
      if (response.status === 404) return;
      if (!response.ok || response.body === null) {
        throw new CidcastError("NODE_UNREACHABLE", `${url} answers ${response.status}`);
      }
      const isLines = response.headers.get("content-type")?.includes("x-ndjson") === true;
      let count = 0;
      for await (const record of isLines ? lines(response.body) : whole(response.body)) {
        const provider = providerOf(record);
        if (provider === undefined) continue;
        yield provider;
        if (++count >= MAX_ROUTER_PROVIDERS) return;
      }
    } catch (error) {
      if (!signal.aborted) this.#log.debug({ url, reason: messageOf(error) }, "a router gave no answer");
    }
  }
}

function providerOf(record: unknown): Provider | undefined {
  const parsed = peerRecord.safeParse(record);
  if (!parsed.success) return undefined;
  const { ID: peerId, Addrs } = parsed.data;
  return { peerId, addresses: (Addrs ?? []).slice(0, 16), origin: "router" };
}

async function* lines(body: AsyncIterable<Uint8Array>): AsyncIterable<unknown> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ROUTER_ANSWER_BYTES) throw new Error(`more than ${MAX_ROUTER_ANSWER_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
    const parts = text.split("\n");
    text = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") yield JSON.parse(part);
  }
  if (text.trim() !== "") yield JSON.parse(text);
}

async function* whole(body: AsyncIterable<Uint8Array>): AsyncIterable<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ROUTER_ANSWER_BYTES) throw new Error(`more than ${MAX_ROUTER_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const { Providers, Peers } = answer.parse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
  yield* Providers ?? Peers ?? [];
}
