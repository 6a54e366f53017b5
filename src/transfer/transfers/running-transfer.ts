import { CID } from "multiformats/cid";
import {
  type AbortOptions,
  CidcastError,
  type Clock,
  type EventPublisher,
  isCidcastError,
  type Logger,
  messageOf,
  raceSignal,
  toCidcastError,
} from "../../core/index.ts";
import { Swarm } from "../swarm/swarm.ts";
import type { Strategies, SwarmPace, SwarmResult } from "../swarm/types.ts";
import { totalBytesOf } from "../dag/total-bytes.ts";
import { MAX_ATTEMPTS_KEPT, PROGRESS_INTERVAL_MS } from "../limits.ts";
import type { TransferMetrics } from "../metrics.ts";
import type { Health } from "./health.ts";
import { Rate } from "./rate.ts";
import type { TransferStore } from "./store.ts";
import { nameOf, rungOrder, sourcesOf } from "./target.ts";
import type { Transfer, TransferContent, TransferEvents, TransferSource, TransferState } from "./types.ts";
import type { WatchedBlocks } from "./watched-blocks.ts";

export interface RunningTransferInit {
  readonly transfer: Transfer;
  readonly token: string | undefined;
  readonly pace: SwarmPace;
}

export interface RunningTransferComponents {
  readonly content: TransferContent;
  readonly blocks: WatchedBlocks;
  readonly strategies: Strategies;
  readonly health: Health;
  readonly store: TransferStore;
  readonly metrics: TransferMetrics;
  readonly events: EventPublisher<TransferEvents>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Why a run was ended from outside. */
type Ending = "paused" | "cancelled" | "suspended";

/** A transfer that is not over: waits, runs, or is paused. What it has is kept from a collection as long as it exists. */
export class RunningTransfer {
  readonly #init: RunningTransferInit;
  readonly #components: RunningTransferComponents;
  readonly #hold: Disposable;
  readonly #finished = Promise.withResolvers<Transfer>();
  readonly #rate: Rate;
  #transfer: Transfer;
  #stop: AbortController | undefined;
  #running: Promise<void> | undefined;
  #ending: Ending | undefined;
  #swarm: Swarm | undefined;
  /** Of the run under way, or the last one. */
  #begun = Promise.withResolvers<Swarm>();
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #saving: Promise<void> = Promise.resolve();

  constructor(init: RunningTransferInit, components: RunningTransferComponents) {
    this.#init = init;
    this.#components = components;
    this.#transfer = init.transfer;
    this.#rate = new Rate(components.clock);
    this.#hold = components.content.hold(init.transfer.cid);
    // Nobody has to wait for the end.
    this.#finished.promise.catch(() => undefined);
  }

  get transfer(): Transfer {
    if (this.#transfer.state !== "running") return this.#transfer;
    const bytesPerSecond = this.#rate.perSecond();
    const { totalBytes, bytes } = this.#transfer;
    const isKnown = totalBytes !== undefined && bytesPerSecond > 0;
    return {
      ...this.#transfer,
      bytesPerSecond,
      etaSeconds: isKnown ? Math.max(0, (totalBytes - bytes) / bytesPerSecond) : undefined,
    };
  }

  /** True while it takes one of the places. */
  get isActive(): boolean {
    return this.#running !== undefined;
  }

  /** True when it runs and what is named belongs to what it fetches. */
  covers(cid: CID): boolean {
    return this.isActive && (cid.toString() === this.#transfer.cid || (this.#swarm?.covers(cid) ?? false));
  }

  /** Brings a block before everything else; `CONTENT_NOT_FOUND` when it does not come. */
  async demand(cid: CID, options: AbortOptions): Promise<void> {
    const swarm = this.#swarm ?? (await raceSignal(this.#begun.promise, options.signal));
    await swarm.demand(cid, options);
  }

  /** Resolves when it is over. */
  get finished(): Promise<Transfer> {
    return this.#finished.promise;
  }

  /** Queues up, from a pause too. */
  wait(): void {
    this.#set({ state: this.#transfer.state === "running" && this.isActive ? "running" : "waiting" });
  }

  run(): Promise<void> {
    if (this.#running !== undefined) return this.#running;
    const begun = Promise.withResolvers<Swarm>();
    // Few wait for it.
    begun.promise.catch(() => undefined);
    this.#begun = begun;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      begun.reject(new CidcastError("CONTENT_NOT_FOUND", "The transfer does not run"));
    });
    return this.#running;
  }

  async pause(): Promise<void> {
    if (this.#transfer.state === "paused") return;
    await this.#end("paused");
    this.#set({ state: "paused" });
    await this.save();
  }

  async cancel(): Promise<void> {
    await this.#end("cancelled");
    await this.#over("cancelled", new CidcastError("ABORTED", "The transfer was cancelled"));
  }

  /** Ends the run, as the node stops; it goes on with the next start. */
  async suspend(): Promise<void> {
    await this.#end("suspended");
    if (this.#transfer.endedAtMs !== undefined) return;
    await this.save();
    this.#hold[Symbol.dispose]();
    this.#finished.reject(
      new CidcastError("SHUTTING_DOWN", "The node is stopping; the transfer goes on afterwards"),
    );
  }

  /** Writes it as it is now. */
  save(): Promise<void> {
    const transfer = this.#transfer;
    const { token } = this.#init;
    this.#saving = this.#saving
      .catch(() => undefined)
      .then(() => this.#components.store.save(transfer, token));
    return this.#saving;
  }

  async #end(ending: Ending): Promise<void> {
    if (this.#running === undefined) return;
    this.#ending = ending;
    this.#stop?.abort(new CidcastError("ABORTED", `The transfer was ${ending}`));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { content, events, clock } = this.#components;
    const { id, cid } = this.#transfer;
    this.#ending = undefined;
    const stop = new AbortController();
    this.#stop = stop;
    this.#set({ state: "running" });
    await this.save();
    const startedMs = clock.monotonicMs();
    using _guard = content.guard();
    try {
      const root = CID.parse(cid);
      await this.#noteTotal(root);
      const { totalBytes } = this.#transfer;
      events.publish("transfer_started", {
        transferId: id,
        cid,
        method: this.#transfer.protocol,
        ...(totalBytes !== undefined && { totalBytes }),
      });
      const failed = await this.#fetch(root, stop.signal);
      if (failed !== undefined) {
        await this.#over("failed", failed);
        return;
      }
      if (this.#transfer.pin !== undefined) await this.#pin(this.#transfer.pin, stop.signal);
      await this.#over("completed", undefined);
      const { bytes, rung } = this.#transfer;
      events.publish("transfer_completed", {
        transferId: id,
        cid,
        bytes,
        durationSeconds: (clock.monotonicMs() - startedMs) / 1000,
        ...(rung !== undefined && { method: rung }),
      });
    } catch (error) {
      // Who ended it says what becomes of it.
      if (this.#ending !== undefined) return;
      await this.#over("failed", toCidcastError(error));
    } finally {
      await this.#components.blocks.settled();
    }
  }

  /** Brings what is missing; the error when no source did. */
  async #fetch(root: CID, signal: AbortSignal): Promise<CidcastError | undefined> {
    const { health } = this.#components;
    const { from, protocol, via } = this.#transfer;
    const all = from
      .flatMap(text => sourcesOf(text, this.#init.token))
      .filter(({ rung }) => via === undefined || rung === via);
    const sources = rungOrder(protocol).flatMap(rung =>
      health.sort(
        all.filter(source => source.rung === rung),
        root.toString(),
      ),
    );
    const swarm = new Swarm(
      {
        want: { root },
        sources,
        signal,
        pace: this.#init.pace,
        onSource: source => this.#set({ rung: source.rung, source: nameOf(source) }),
        onBlock: (cid, bytes, source) => this.#count({ root, cid, bytes, source }),
        onAttempt: attempt => {
          this.#set({ attempts: [...this.#transfer.attempts, attempt].slice(-MAX_ATTEMPTS_KEPT) });
        },
      },
      this.#components,
    );
    this.#swarm = swarm;
    this.#begun.resolve(swarm);
    let result: SwarmResult;
    try {
      result = await swarm.run();
    } finally {
      this.#swarm = undefined;
    }
    if (result.ok) return undefined;
    if (result.fatal !== undefined) return result.fatal;
    const causes = result.attempts.map(({ rung, source, message }) => `${rung} ${source}: ${message}`);
    const last = result.attempts.at(-1);
    return new CidcastError(
      last?.code ?? "CONTENT_NOT_FOUND",
      `No source had all of it. ${causes.at(-1) ?? ""}`,
    );
  }

  #count(came: {
    readonly root: CID;
    readonly cid: CID;
    readonly bytes: number;
    readonly source: TransferSource;
  }): void {
    const { root, cid, bytes, source } = came;
    const { rung } = source;
    const { byRung } = this.#transfer;
    this.#rate.add(bytes);
    this.#transfer = {
      ...this.#transfer,
      blocks: this.#transfer.blocks + 1,
      bytes: this.#transfer.bytes + bytes,
      byRung: { ...byRung, [rung]: (byRung[rung] ?? 0) + 1 },
      rung,
      source: nameOf(source),
    };
    if (this.#transfer.totalBytes === undefined && cid.equals(root)) {
      this.#noteTotal(root).catch((error: unknown) => {
        this.#components.log.debug({ reason: messageOf(error) }, "the size of a transfer is not known");
      });
    }
    this.#tell();
  }

  #tell(): void {
    const { clock, events, log } = this.#components;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#toldAtMs < PROGRESS_INTERVAL_MS) return;
    this.#toldAtMs = nowMs;
    const { id, cid, bytes, blocks, bytesPerSecond, rung, source, totalBytes, etaSeconds } = this.transfer;
    events.publish("transfer_progress", {
      transferId: id,
      cid,
      bytes,
      blocks,
      bytesPerSecond: Math.round(bytesPerSecond),
      ...(rung !== undefined && { method: rung }),
      ...(source !== undefined && { source }),
      ...(totalBytes !== undefined && { totalBytes }),
      ...(etaSeconds !== undefined && { etaSeconds }),
    });
    this.save().catch((error: unknown) => {
      log.warn({ reason: messageOf(error) }, "the progress of a transfer was not written");
    });
  }

  async #noteTotal(root: CID): Promise<void> {
    const bytes = await this.#components.content.blocks.get(root);
    if (bytes !== undefined) this.#set({ totalBytes: totalBytesOf(root, bytes) });
  }

  /** Pins what is here. Structures that are no files are kept under their blocks alone. */
  async #pin(name: string, signal: AbortSignal): Promise<void> {
    const { cid } = this.#transfer;
    try {
      await this.#components.content.pin(cid, { name, signal });
    } catch (error) {
      if (!isCidcastError(error, "UNSUPPORTED_DAG")) throw error;
      this.#components.log.warn({ cid, reason: error.message }, "what was transferred cannot be pinned");
    }
  }

  async #over(
    state: Extract<TransferState, "completed" | "failed" | "cancelled">,
    error: CidcastError | undefined,
  ): Promise<void> {
    const { clock, store, events, metrics, log } = this.#components;
    const { id, cid, endedAtMs } = this.#transfer;
    if (endedAtMs !== undefined) return;
    this.#set({ state, code: error?.code, message: error?.message, endedAtMs: clock.now() });
    metrics.finished.add(1, { result: state });
    await this.save();
    await store.prune();
    this.#hold[Symbol.dispose]();
    log.info({ id, cid, state, code: error?.code, bytes: this.#transfer.bytes }, "transfer is over");
    if (error !== undefined) {
      events.publish("transfer_failed", { transferId: id, cid, message: error.message, code: error.code });
    }
    this.#finished.resolve(this.#transfer);
  }

  #set(change: Partial<Transfer>): void {
    this.#transfer = { ...this.#transfer, ...change };
  }
}
