import { randomUUID } from "node:crypto";
import { CID } from "multiformats/cid";
import {
  type AbortOptions,
  CidcastError,
  type Clock,
  type EventPublisher,
  isCidcastError,
  type Logger,
  messageOf,
  type Metrics,
  raceSignal,
  type Service,
  toCidcastError,
} from "../../core/index.ts";
import type { Database } from "../../store/index.ts";
import { MAX_OPEN_TRANSFERS, MAX_RUNNING_TRANSFERS, MAX_TRANSFER_SOURCES } from "../limits.ts";
import { type TransferMetrics, transferMetrics } from "../metrics.ts";
import { selectProtocol } from "../select-protocol.ts";
import { createHttpStrategy } from "../strategies/http.ts";
import { createLibp2pStrategy, type StreamOpener } from "../strategies/libp2p.ts";
import { createWebSocketStrategy } from "../strategies/web-socket.ts";
import type { Strategies } from "../swarm/types.ts";
import { Health } from "./health.ts";
import { RunningTransfer } from "./running-transfer.ts";
import { type TokenBox, TransferStore } from "./store.ts";
import { type PushComponents, pushContent, type PushRequest, type PushResult } from "./push.ts";
import { sourcesOf } from "./target.ts";
import type { SourceReputation } from "../types.ts";
import type {
  Transfer,
  TransferContent,
  TransferEvents,
  TransferQuery,
  TransferRequest,
  TransferResult,
} from "./types.ts";
import { WatchedBlocks } from "./watched-blocks.ts";

/** Sizes below which nothing is known are taken for large. */
const UNKNOWN_SIZE = Number.POSITIVE_INFINITY;

export interface TransfersInit {
  readonly stallTimeoutMs?: number;
  readonly slowStartMs?: number;
  /** Wait before the sources are asked again after a round that brought nothing; doubles. Default {@link RETRY_MS}. */
  readonly retryMs?: number;
  readonly maxRunning?: number;
  readonly maxOpen?: number;
}

export interface TransfersComponents {
  readonly content: TransferContent;
  /** Undefined: libp2p is switched off or could not start. */
  readonly peer: StreamOpener | undefined;
  /** What is known of peers; undefined: only what transfers themselves have seen. */
  readonly reputation?: SourceReputation | undefined;
  /** What a push needs; undefined: nothing is pushed from here. */
  readonly push?: Omit<PushComponents, "clock"> | undefined;
  /** Seals the tokens of sources, so that they survive a restart; undefined: they do not. */
  readonly tokens?: TokenBox | undefined;
  readonly database: Pick<Database, "tables">;
  readonly events: EventPublisher<TransferEvents>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A transfer by one rung. */
export type OneRungTransfer = (
  cid: string,
  from: string | readonly string[],
  options?: Omit<TransferRequest, "cid" | "from" | "via"> & AbortOptions,
) => Promise<TransferResult>;

/** Brings content here from others, and remembers what is under way over a restart. */
export interface Transfers extends Service {
  /** Starts a transfer and waits for its end. Resolves with every cause when no source had it; misuse throws. */
  transferContent(
    cid: string,
    from: string | readonly string[],
    options?: Omit<TransferRequest, "cid" | "from"> & AbortOptions,
  ): Promise<TransferResult>;
  /** As {@link transferContent}, from PeerIds and multiaddrs by the content protocol over libp2p alone. */
  transferViaLibp2p: OneRungTransfer;
  /** As {@link transferContent}, from addresses of nodes over a WebSocket alone. */
  transferViaWebSocket: OneRungTransfer;
  /** As {@link transferContent}, from addresses of nodes and gateways over HTTP alone. */
  transferViaHttp: OneRungTransfer;
  /** Starts a transfer; gives the one under way where the CID has one. `INVALID_REQUEST`, `INVALID_CID`, `BUSY`. */
  begin(request: TransferRequest): Promise<Transfer>;
  /** `NOT_FOUND` when there is none of that id. */
  transfer(id: string): Promise<Transfer>;
  /** Newest first. */
  list(query?: TransferQuery): Promise<{ readonly transfers: Transfer[]; readonly total: number }>;
  /** Stops it; what is verified stays, and is kept from a collection. `CONFLICT` when it is over. */
  pause(id: string): Promise<Transfer>;
  /** Goes on with a paused transfer, or tries a failed one again. */
  resume(id: string): Promise<Transfer>;
  /** Ends it; what is verified stays until a collection. */
  cancel(id: string): Promise<Transfer>;
  /** True while a transfer runs. */
  readonly isRunning: boolean;
  /**
   * Brings a block of a transfer under way before everything else, as for a player; `root` names what is being read.
   * True when it is here now, false when no transfer that runs is of that content, or it ended without the block.
   */
  bring(cid: string, options?: AbortOptions & { readonly root?: string | undefined }): Promise<boolean>;
  /** Brings content from here to another node: see {@link pushContent}. */
  push(request: PushRequest): Promise<PushResult>;
  /** Waits until it is over; an aborted wait leaves it running. */
  finished(id: string, options?: AbortOptions): Promise<TransferResult>;
}

/** Transfers over the rungs libp2p, WebSocket and HTTP. */
export function createTransfers(init: TransfersInit = {}): (components: TransfersComponents) => Transfers {
  return components => new DefaultTransfers(init, components);
}

class DefaultTransfers implements Transfers {
  readonly name = "transfers";
  readonly #init: TransfersInit;
  readonly #components: TransfersComponents;
  readonly #metrics: TransferMetrics;
  readonly #blocks: WatchedBlocks;
  readonly #strategies: Strategies;
  readonly #store: TransferStore;
  readonly #health: Health;
  readonly #open = new Map<string, RunningTransfer>();
  #stopped: Promise<void> | undefined;

  constructor(init: TransfersInit, components: TransfersComponents) {
    this.#init = init;
    this.#components = components;
    this.#metrics = transferMetrics(components.metrics);
    this.#blocks = new WatchedBlocks(components.content.blocks);
    this.#store = new TransferStore(components.database, components.tokens);
    const { clock, log, peer, reputation } = components;
    this.#health = new Health({ db: this.#store.db, clock, log, reputation });
    const shared = { blocks: this.#blocks, metrics: this.#metrics, clock, log };
    const stream = init.stallTimeoutMs === undefined ? {} : { stallTimeoutMs: init.stallTimeoutMs };
    this.#strategies = {
      libp2p: peer === undefined ? undefined : createLibp2pStrategy(stream)({ ...shared, peer }),
      websocket: createWebSocketStrategy(stream)(shared),
      http: createHttpStrategy()(shared),
    };
  }

  /** Goes on with what was under way when the process ended. */
  async start(): Promise<void> {
    await this.#health.load();
    for (const { transfer, token } of await this.#store.open()) {
      const running = this.#adopt(transfer, token);
      if (transfer.state !== "paused") running.wait();
    }
    this.#startNext();
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async transferContent(
    cid: string,
    from: string | readonly string[],
    options: Omit<TransferRequest, "cid" | "from"> & AbortOptions = {},
  ): Promise<TransferResult> {
    const { signal, ...request } = options;
    signal?.throwIfAborted();
    const { id } = await this.begin({ ...request, cid, from: typeof from === "string" ? [from] : from });
    try {
      return await this.finished(id, { signal });
    } catch (error) {
      if (signal?.aborted === true && this.#open.has(id)) await this.cancel(id);
      throw error;
    }
  }

  transferViaLibp2p: OneRungTransfer = (cid, from, options) =>
    this.transferContent(cid, from, { ...options, via: "libp2p" });

  transferViaWebSocket: OneRungTransfer = (cid, from, options) =>
    this.transferContent(cid, from, { ...options, via: "websocket" });

  transferViaHttp: OneRungTransfer = (cid, from, options) =>
    this.transferContent(cid, from, { ...options, via: "http" });

  async begin(request: TransferRequest): Promise<Transfer> {
    if (this.#stopped !== undefined) throw new CidcastError("SHUTTING_DOWN", "The node is stopping");
    const {
      from,
      token,
      pin = "",
      contentType = "",
      sizeBytes = UNKNOWN_SIZE,
      priority = "normal",
      via,
    } = request;
    const cid = this.#allowed(request.cid);
    if (from.length === 0 || from.length > MAX_TRANSFER_SOURCES) {
      throw new CidcastError("INVALID_REQUEST", `from: 1 to ${MAX_TRANSFER_SOURCES} sources are named`);
    }
    const sources = from.flatMap(text => sourcesOf(text, token));
    if (via !== undefined && sources.every(({ rung }) => rung !== via)) {
      throw new CidcastError("INVALID_REQUEST", `from: none of the sources is reached by ${via}`);
    }
    const known = [...this.#open.values()].find(running => running.transfer.cid === cid);
    if (known !== undefined) return known.transfer;
    const { maxOpen = MAX_OPEN_TRANSFERS } = this.#init;
    if (this.#open.size >= maxOpen) {
      this.#metrics.limits.add(1, { limit: "open_transfers" });
      throw new CidcastError("BUSY", `${maxOpen} transfers are under way`, { retryAfterSeconds: 5 });
    }
    const transfer: Transfer = {
      id: randomUUID(),
      cid,
      from: [...from],
      state: "waiting",
      protocol: selectProtocol(contentType, sizeBytes, priority),
      pin: pin === false ? undefined : pin,
      via,
      blocks: 0,
      bytes: 0,
      totalBytes: undefined,
      byRung: {},
      rung: undefined,
      source: undefined,
      bytesPerSecond: 0,
      etaSeconds: undefined,
      attempts: [],
      code: undefined,
      message: undefined,
      createdAtMs: this.#components.clock.now(),
      endedAtMs: undefined,
    };
    const running = this.#adopt(transfer, token);
    await running.save();
    running.wait();
    this.#startNext();
    return running.transfer;
  }

  async transfer(id: string): Promise<Transfer> {
    const transfer = this.#open.get(id)?.transfer ?? (await this.#store.find(id));
    if (transfer === undefined) throw new CidcastError("NOT_FOUND", `There is no transfer ${id}`);
    return transfer;
  }

  async list(query: TransferQuery = {}): Promise<{ readonly transfers: Transfer[]; readonly total: number }> {
    const { transfers, total } = await this.#store.list(query);
    return { transfers: transfers.map(known => this.#open.get(known.id)?.transfer ?? known), total };
  }

  async pause(id: string): Promise<Transfer> {
    const running = await this.#running(id);
    await running.pause();
    this.#startNext();
    return running.transfer;
  }

  async resume(id: string): Promise<Transfer> {
    const open = this.#open.get(id);
    if (open !== undefined) {
      open.wait();
      this.#startNext();
      return open.transfer;
    }
    const transfer = await this.transfer(id);
    if (transfer.state === "completed") throw new CidcastError("CONFLICT", `Transfer ${id} is complete`);
    const other = [...this.#open.values()].find(running => running.transfer.cid === transfer.cid);
    if (other !== undefined) {
      throw new CidcastError("CONFLICT", `${transfer.cid} is being transferred by ${other.transfer.id}`);
    }
    const running = this.#adopt(
      { ...transfer, state: "waiting", code: undefined, message: undefined, endedAtMs: undefined },
      await this.#store.tokenOf(id),
    );
    await running.save();
    running.wait();
    this.#startNext();
    return running.transfer;
  }

  async cancel(id: string): Promise<Transfer> {
    const running = await this.#running(id);
    await running.cancel();
    return running.transfer;
  }

  async finished(id: string, options: AbortOptions = {}): Promise<TransferResult> {
    const open = this.#open.get(id);
    const transfer =
      open === undefined ? await this.transfer(id) : await raceSignal(open.finished, options.signal);
    return transfer.state === "completed"
      ? { ok: true, transfer }
      : { ok: false, attempts: transfer.attempts, transfer };
  }

  get isRunning(): boolean {
    return [...this.#open.values()].some(running => running.isActive);
  }

  async bring(
    text: string,
    options: AbortOptions & { readonly root?: string | undefined } = {},
  ): Promise<boolean> {
    const cid = parseCid(text);
    const roots = options.root === undefined ? [cid] : [cid, parseCid(options.root)];
    const running = [...this.#open.values()].find(transfer => roots.some(root => transfer.covers(root)));
    if (running === undefined) return false;
    try {
      await running.demand(cid, options);
      this.#metrics.demands.add(1, { result: "brought" });
      return true;
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#metrics.demands.add(1, { result: "failed" });
      this.#components.log.debug({ cid: text, reason: messageOf(error) }, "a transfer did not bring a block");
      return false;
    }
  }

  async push(request: PushRequest): Promise<PushResult> {
    const { push, clock } = this.#components;
    if (push === undefined) throw new CidcastError("FEATURE_DISABLED", "Nothing is pushed from here");
    const cid = this.#allowed(request.cid);
    using _hold = this.#components.content.hold(cid);
    return pushContent({ ...request, cid }, { ...push, clock });
  }

  /** The CID in its usual form, unless it may not be here. */
  #allowed(text: string): string {
    const cid = parseCid(text);
    this.#components.content.allow?.(cid);
    return cid.toString();
  }

  async #running(id: string): Promise<RunningTransfer> {
    const running = this.#open.get(id);
    if (running !== undefined) return running;
    const { state } = await this.transfer(id);
    throw new CidcastError("CONFLICT", `Transfer ${id} is over: ${state}`);
  }

  #adopt(transfer: Transfer, token: string | undefined): RunningTransfer {
    const { content, events, clock, log } = this.#components;
    const running = new RunningTransfer(
      { transfer, token, pace: this.#init },
      {
        content,
        blocks: this.#blocks,
        strategies: this.#strategies,
        health: this.#health,
        store: this.#store,
        metrics: this.#metrics,
        events,
        clock,
        log,
      },
    );
    this.#open.set(transfer.id, running);
    const over = (): void => {
      this.#open.delete(transfer.id);
      this.#startNext();
    };
    running.finished.then(over, over);
    return running;
  }

  /** Starts waiting transfers while there is room. */
  #startNext(): void {
    if (this.#stopped !== undefined) return;
    const { maxRunning = MAX_RUNNING_TRANSFERS } = this.#init;
    let places = maxRunning;
    for (const running of this.#open.values()) if (running.isActive) places--;
    this.#metrics.running.set(maxRunning - places);
    for (const running of this.#open.values()) {
      if (places <= 0) return;
      if (running.transfer.state !== "waiting" || running.isActive) continue;
      places--;
      running.run().then(
        () => this.#startNext(),
        (error: unknown) => {
          const { code } = isCidcastError(error) ? error : toCidcastError(error);
          this.#components.log.error({ err: error, code }, "a transfer broke");
        },
      );
    }
  }

  async #stop(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map(running => running.suspend()));
    for (const strategy of [this.#strategies.libp2p, this.#strategies.websocket, this.#strategies.http]) {
      try {
        await strategy?.[Symbol.asyncDispose]();
      } catch (error) {
        this.#components.log.debug({ reason: messageOf(error) }, "a rung did not close cleanly");
      }
    }
    await this.#health.flush();
  }
}

function parseCid(text: string): CID {
  try {
    return CID.parse(text);
  } catch (cause) {
    throw new CidcastError("INVALID_CID", `${text.slice(0, 80)} is not a CID`, { cause });
  }
}
