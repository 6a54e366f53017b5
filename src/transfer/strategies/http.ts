import { MAX_ITEMS, MAX_REQUEST_BYTES, type RequestItem, TO_END } from "@cidcast/protocols/content";
import type { CID } from "multiformats/cid";
import { readCar } from "../../content/index.ts";
import {
  type AbortOptions,
  anySignal,
  CidcastError,
  isCidcastError,
  type Logger,
  messageOf,
  toCidcastError,
} from "../../core/index.ts";
import { decodeCid, WantList } from "../dag/index.ts";
import { missingBlocks } from "../dag/missing-blocks.ts";
import { linksOf } from "../dag/node-links.ts";
import { GATEWAY_CONCURRENCY, MAX_REDUNDANT_BLOCKS, OPEN_TIMEOUT_MS } from "../limits.ts";
import type { TransferMetrics } from "../metrics.ts";
import type { FetchOptions, FetchResult, TransferBlocks, TransferStrategy, TransferWant } from "../types.ts";

const CAR_ACCEPT = "application/vnd.ipld.car; version=1; order=dfs; dups=n";
const RAW_ACCEPT = "application/vnd.ipld.raw";
/** Largest block that is read from an answer, bytes. */
const MAX_RAW_BYTES = 2 * 1024 * 1024;

/** A trustless gateway: of this program, of Kubo, or a public one. */
export interface GatewaySource {
  /** `http://` or `https://`, without `/ipfs`. */
  readonly url: string;
  readonly token?: string | undefined;
}

export interface HttpStrategyComponents {
  readonly blocks: TransferBlocks;
  readonly metrics: TransferMetrics;
  readonly log: Logger;
}

/** Fetches from a trustless gateway: what is missing below a node as a CAR, single leaves as blocks. */
export function createHttpStrategy(): (
  components: HttpStrategyComponents,
) => TransferStrategy<GatewaySource> {
  return components => ({
    name: "http",
    fetch: (source, want, options = {}) => new GatewayFetch(source, components, options).run(want),
    fetchBlocks: (source, cids, options = {}) =>
      new GatewayFetch(source, components, options).runBlocks(cids),
    [Symbol.asyncDispose]: async () => undefined,
  });
}

class GatewayFetch {
  readonly #source: GatewaySource;
  readonly #components: HttpStrategyComponents;
  readonly #options: FetchOptions;
  #blocks = 0;
  #bytes = 0;

  constructor(source: GatewaySource, components: HttpStrategyComponents, options: FetchOptions) {
    this.#source = source;
    this.#components = components;
    this.#options = options;
  }

  async run(want: TransferWant): Promise<FetchResult> {
    const { blocks } = this.#components;
    for (;;) {
      const missing = await missingBlocks(blocks, want, {
        maxItems: MAX_ITEMS,
        maxBytes: MAX_REQUEST_BYTES,
        signal: this.#options.signal,
      });
      if (missing.items.length === 0) return { blocks: this.#blocks, bytes: this.#bytes, missing: [] };
      const before = this.#blocks;
      const wants = await WantList.of(blocks, missing.items);
      try {
        // Leaves of nodes that are here first: what is waited for stays little.
        for (const item of missing.items) if (item.kind !== "subtree") await this.#fetchItem(item, wants);
        for (const item of missing.items) if (item.kind === "subtree") await this.#fetchItem(item, wants);
      } catch (error) {
        // A gateway that lacks a block cuts its CAR: what is left is asked for anew, as long as that brings something.
        if (this.#blocks === before || !isCidcastError(error, "PEER_UNREACHABLE")) throw error;
        continue;
      }
      // Whether all of it is here only another look tells: a gateway's answer may have ended too early.
      if (this.#blocks === before)
        return { blocks: this.#blocks, bytes: this.#bytes, missing: wants.missing };
    }
  }

  async runBlocks(cids: readonly CID[]): Promise<FetchResult> {
    const items = cids.map(({ bytes }) => ({ kind: "block", cid: bytes }) as const);
    const wants = await WantList.of(this.#components.blocks, items);
    await this.#fetchBlocks(cids, wants);
    return { blocks: this.#blocks, bytes: this.#bytes, missing: wants.missing };
  }

  async #fetchItem(item: RequestItem, wants: WantList): Promise<void> {
    const cid = decodeCid(item.cid);
    if (item.kind === "block") return this.#fetchBlock(cid, wants);
    if (item.kind === "subtree") return this.#fetchSubtree(cid, item, wants);
    const node = await this.#components.blocks.get(cid);
    const children =
      node === undefined
        ? []
        : linksOf(cid, node).links.filter((_link, i) => ((item.bitmap[i >> 3] ?? 0) & (1 << (i & 7))) !== 0);
    return this.#fetchBlocks(children, wants);
  }

  /** Fetches those that are wanted, some at a time. */
  async #fetchBlocks(cids: readonly CID[], wants: WantList): Promise<void> {
    const rest = cids.filter(cid => wants.isWanted(cid.bytes));
    const work = async (): Promise<void> => {
      for (let cid = rest.shift(); cid !== undefined; cid = rest.shift()) await this.#fetchBlock(cid, wants);
    };
    // All of them end before an error is told: none goes on behind the caller's back.
    const ended = await Promise.allSettled(Array.from({ length: GATEWAY_CONCURRENCY }, work));
    const failed = ended.find(result => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #fetchBlock(cid: CID, wants: WantList): Promise<void> {
    if (!wants.isWanted(cid.bytes)) return;
    const response = await this.#ask(`${cid.toString()}?format=raw`, RAW_ACCEPT);
    if (response === undefined) {
      wants.lacks(cid.bytes);
      return;
    }
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of this.#body(response)) {
      bytes += chunk.byteLength;
      if (bytes > MAX_RAW_BYTES) throw new CidcastError("CORRUPT_BLOCK", "The gateway's block is too large");
      chunks.push(chunk);
    }
    if (wants.isWanted(cid.bytes)) await this.#take(cid, Buffer.concat(chunks), wants);
  }

  async #fetchSubtree(
    cid: CID,
    { start, end }: { readonly start: number; readonly end: number },
    wants: WantList,
  ): Promise<void> {
    if (!wants.isWanted(cid.bytes)) return;
    const isWhole = start === 0 && end === TO_END;
    const scope = isWhole
      ? "dag-scope=all"
      : `dag-scope=entity&entity-bytes=${start}:${end === TO_END ? "*" : Math.max(start, end - 1)}`;
    const mark = wants.mark();
    const response = await this.#ask(`${cid.toString()}?format=car&${scope}`, CAR_ACCEPT);
    if (response === undefined) {
      wants.lacks(cid.bytes);
      return;
    }
    let redundant = 0;
    try {
      const car = await readCar(this.#body(response));
      for await (const block of car.blocks) {
        this.#options.signal?.throwIfAborted();
        // The name may be another one of the same block: CIDv0 and v1.
        const named = wants.wantedName(block.cid);
        if (named !== undefined) {
          await this.#take(named, block.bytes, wants);
          continue;
        }
        redundant++;
        this.#components.metrics.redundantBlocks.add(1, { rung: "http" });
        if (redundant > MAX_REDUNDANT_BLOCKS) {
          throw new CidcastError("CORRUPT_BLOCK", "The gateway sends blocks that nobody asked for");
        }
      }
    } catch (error) {
      throw gatewayError(error, this.#source.url, this.#options.signal);
    }
    // The root of an answer that ended in good order and did not come is not to be had here.
    if (wants.isWanted(cid.bytes)) wants.lacks(cid.bytes);
    wants.giveUpSince(mark);
  }

  async #take(cid: CID, bytes: Uint8Array, wants: WantList): Promise<void> {
    const { stored } = await wants.take(cid.bytes, bytes);
    await stored;
    this.#blocks++;
    this.#bytes += bytes.byteLength;
    const { metrics } = this.#components;
    metrics.receivedBlocks.add(1, { rung: "http" });
    metrics.receivedBytes.add(bytes.byteLength, { rung: "http" });
    this.#options.onBlock?.(cid, bytes.byteLength, bytes);
  }

  /** Asks the gateway; undefined when it does not have it. */
  async #ask(path: string, accept: string): Promise<Response | undefined> {
    const { url, token } = this.#source;
    const opening = new AbortController();
    const timer = setTimeout(
      () => opening.abort(new CidcastError("TIMEOUT", `${url} did not answer for ${OPEN_TIMEOUT_MS} ms`)),
      OPEN_TIMEOUT_MS,
    );
    const signal = anySignal(opening.signal, this.#options.signal) ?? opening.signal;
    let response: Response;
    try {
      response = await fetch(`${url}/ipfs/${path}`, {
        signal,
        // Somebody else's address is not the one that was chosen.
        redirect: "error",
        headers: { accept, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      });
    } catch (error) {
      throw gatewayError(error, url, signal);
    } finally {
      clearTimeout(timer);
    }
    if (response.ok) return response;
    await response.body?.cancel();
    const { status } = response;
    if (status === 404 || status === 410 || status === 504) return undefined;
    if (status === 401) throw new CidcastError("UNAUTHENTICATED", `${url} asks for a token`);
    if (status === 403) throw new CidcastError("FORBIDDEN", `${url} refuses`);
    if (status === 400 || status === 406) {
      throw new CidcastError("PROTOCOL_UNSUPPORTED", `${url} is no trustless gateway: status ${status}`);
    }
    throw new CidcastError("PEER_UNREACHABLE", `${url} answers with status ${status}`);
  }

  async *#body(response: Response): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    try {
      for await (const chunk of response.body) yield chunk as Uint8Array;
    } catch (error) {
      throw gatewayError(error, this.#source.url, this.#options.signal);
    }
  }
}

/** What went wrong while a gateway was read, as one of our errors. */
function gatewayError(error: unknown, url: string, signal: AbortOptions["signal"]): unknown {
  if (signal?.aborted === true) return toCidcastError(signal.reason);
  if (error instanceof CidcastError) {
    // A torn file is a broken connection where the other end hides it; anything else is no CAR.
    return error.code === "INVALID_CAR"
      ? new CidcastError("PEER_UNREACHABLE", `${url}: ${error.message}`, { cause: error })
      : error;
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new CidcastError("PEER_UNREACHABLE", `${url}: ${messageOf(cause)}`, { cause: error });
}
