import { TO_END } from "@cidcast/protocols/content";
import type { CID } from "multiformats/cid";
import {
  type AbortOptions,
  backoffMs,
  CidcastError,
  isCidcastError,
  raceSignal,
  toCidcastError,
} from "../../core/index.ts";
import { keyOf } from "../dag/visited.ts";
import {
  HURRY_MS,
  MAX_ATTEMPTS_KEPT,
  MAX_IDLE_ROUNDS,
  MAX_MOVES,
  MAX_PARALLEL_SOURCES,
  RETRY_MAX_MS,
  RETRY_MS,
  SLOW_START_MS,
  STALL_TIMEOUT_MS,
} from "../limits.ts";
import { nameOf } from "../transfers/target.ts";
import type { TransferAttempt, TransferSource } from "../transfers/types.ts";
import { Demands } from "./demands.ts";
import { Frontier, type TakeOptions, type Unit } from "./frontier.ts";
import { Lane, type LaneHost } from "./lane.ts";
import { isMoved } from "./moved.ts";
import type { FetchResult } from "../types.ts";
import type { Ask, Strategies, SwarmComponents, SwarmInit, SwarmResult } from "./types.ts";

/** What is the receiver's own trouble: no other source helps. */
const OWN_TROUBLE: ReadonlySet<string> = new Set([
  "STORAGE_FULL",
  "STORAGE_FAILED",
  "CONTENT_BLOCKED",
  "UNSUPPORTED_DAG",
  "CORRUPT_DAG",
]);
/** What asking again does not change. */
const FINAL: ReadonlySet<string> = new Set([
  "CORRUPT_BLOCK",
  "PROTOCOL_UNSUPPORTED",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "FEATURE_DISABLED",
]);

/**
 * Fetches what is missing of a want from several sources at once, no block from two of them. It begins with the sources of
 * the first rung; those of the next join when these fail, are slow or lack something. A source that fails, brings no verified
 * block for a while or sends a bad one hands on what it was asked for, and is asked again later unless that is no use.
 * Blocks that a player waits for go before everything else.
 */
export class Swarm implements LaneHost {
  readonly #init: SwarmInit;
  readonly #components: SwarmComponents;
  readonly #frontier: Frontier;
  readonly #demands: Demands;
  readonly #lanes = new Set<Lane>();
  /** Blocks under way and who was asked for them. */
  readonly #underWay = new Map<string, { readonly unit: Unit; readonly lane: Lane }>();
  /** Blocks that two sources were asked for, because the first was slow. */
  readonly #hedged = new Map<string, "asked" | "came">();
  readonly #attempts: TransferAttempt[] = [];
  /** Sources that are to be asked in this round. */
  #queue: TransferSource[] = [];
  #retry: TransferSource[] = [];
  #brought = 0;
  /** Set while one source fetches all of it in one go. */
  #whole: { readonly lane: Lane; readonly stop: AbortController } | undefined;
  #hurriedUntilMs = Number.NEGATIVE_INFINITY;
  readonly #result = Promise.withResolvers<SwarmResult>();
  #isOver = false;
  /** Lanes that ended and are not settled yet. */
  #ending = 0;

  constructor(init: SwarmInit, components: SwarmComponents) {
    this.#init = init;
    this.#components = components;
    const { root, start = 0, end = TO_END } = init.want;
    this.#frontier = new Frontier(components.blocks, root, { start, end });
    this.#demands = new Demands(components.clock, {
      assign: (cid, besides) => this.#assign(cid, besides),
    });
  }

  get clock(): SwarmComponents["clock"] {
    return this.#components.clock;
  }

  get stallTimeoutMs(): number {
    return this.#init.pace?.stallTimeoutMs ?? STALL_TIMEOUT_MS;
  }

  get slowStartMs(): number {
    return this.#init.pace?.slowStartMs ?? SLOW_START_MS;
  }

  get isHurried(): boolean {
    return this.clock.monotonicMs() < this.#hurriedUntilMs;
  }

  /** Gives the tries that did not bring the whole; rejects when the signal aborts. */
  async run(): Promise<SwarmResult> {
    const { signal, sources } = this.#init;
    signal?.throwIfAborted();
    try {
      this.#queue = [...sources];
      this.#next();
      return await raceSignal(this.#result.promise, signal);
    } catch (error) {
      throw isCidcastError(error) ? error : toCidcastError(error);
    } finally {
      this.#isOver = true;
      const reason = new CidcastError("ABORTED", "The transfer is over");
      for (const lane of this.#lanes) {
        lane.close(reason);
        this.#noteHealth(lane, undefined);
      }
      this.#lanes.clear();
      this.#demands.close();
      await this.#components.blocks.settled();
    }
  }

  /** True when the block is known to belong to what is fetched. */
  covers(cid: CID): boolean {
    return cid.equals(this.#init.want.root) || this.#frontier.knows(keyOf(cid));
  }

  /** Brings a block before everything else; resolves when it is here. */
  async demand(cid: CID, options: AbortOptions = {}): Promise<void> {
    if (await this.#components.blocks.has(cid)) return;
    if (this.#isOver) throw new CidcastError("CONTENT_NOT_FOUND", "The transfer is over");
    const here = this.#demands.wait(cid);
    // It may have come before anybody waited for it.
    if (await this.#components.blocks.has(cid)) this.#demands.arrived(keyOf(cid));
    await raceSignal(here, options.signal);
  }

  async take(lane: Lane, options: TakeOptions): Promise<Unit[]> {
    this.#demands.retry();
    if (this.#whole !== undefined) return [];
    const units = await this.#frontier.take(options);
    // The lane may have ended meanwhile.
    if (lane.isOver) this.#frontier.giveBack(units);
    else for (const unit of units) this.#underWay.set(unit.key, { unit, lane });
    return lane.isOver ? [] : units;
  }

  async ask(lane: Lane, cids: readonly CID[], options: Parameters<Ask>[0]): ReturnType<Ask> {
    const result = await askSource(lane.source, this.#components.strategies, cids, options);
    // What was asked for and did not come is lacked, whatever the source says.
    return { ...result, missing: cids.filter(cid => this.#underWay.get(keyOf(cid))?.lane === lane) };
  }

  arrived(lane: Lane, cid: CID, size: number, bytes: Uint8Array): void {
    const key = keyOf(cid);
    const asked = this.#hedged.get(key);
    if (asked === "came") {
      this.#components.metrics.redundantBlocks.add(1, { rung: lane.source.rung });
      return;
    }
    if (asked !== undefined) this.#hedged.set(key, "came");
    this.#brought++;
    this.#underWay.delete(key);
    this.#init.onBlock(cid, size, lane.source);
    try {
      this.#frontier.arrived(cid, bytes);
    } catch (error) {
      this.#end({ ok: false, attempts: this.#attempts, fatal: toCidcastError(error) });
      return;
    }
    this.#demands.arrived(key);
    // What a node links to can be asked for now, by those too who had nothing to do.
    for (const other of this.#lanes) if (other !== lane && !other.isBusy) other.pump();
  }

  lacked(lane: Lane, cids: readonly CID[]): void {
    const units: Unit[] = [];
    for (const cid of cids) {
      const key = keyOf(cid);
      lane.lacked.add(key);
      const held = this.#underWay.get(key);
      if (held === undefined || held.lane !== lane) continue;
      this.#underWay.delete(key);
      units.push(held.unit);
    }
    this.#frontier.giveBack(units);
    this.#demands.lost(units.map(({ key }) => key));
    this.#join();
    for (const other of this.#lanes) if (other !== lane) other.pump();
  }

  slow(lane: Lane): void {
    this.#join();
    const isWantedElsewhere = [...this.#lanes].some(other => other !== lane && !other.isBusy);
    if (isWantedElsewhere) this.#leave(lane);
  }

  idle(lane: Lane): void {
    if (this.#isOver || lane.isOver || this.#ending > 0) return;
    if (this.#underWay.size === 0 && this.#frontier.isExhausted) {
      this.#end({ ok: true, attempts: this.#attempts });
      return;
    }
    const busy = [...this.#lanes].filter(other => other.isBusy);
    if (busy.length > 0) {
      // Nothing is left to be asked for: what a slow one was asked for is handed to this one.
      for (const other of busy) if (other.isSlow && this.#underWay.size > 0) this.#leave(other);
      return;
    }
    // What is left is lacked by all that are here.
    const [missing] = lane.lacked;
    if (missing === undefined) return;
    const what = `${nameOf(lane.source)} lacks ${lane.lacked.size} blocks of it`;
    lane.fail(new CidcastError("CONTENT_NOT_FOUND", what));
  }

  failed(lane: Lane, error: CidcastError): void {
    if (this.#whole?.lane === lane) this.#whole = undefined;
    this.#ending++;
    void this.#settle(lane, error).finally(() => {
      this.#ending--;
      if (this.#isOver) return;
      for (const other of this.#lanes) other.pump();
      if (this.#lanes.size === 0 && this.#ending === 0) this.#next();
    });
  }

  /** Hands on what a lane was asked for, once all that it brought is stored. */
  async #settle(lane: Lane, error: CidcastError): Promise<void> {
    const { blocks, metrics, log, clock } = this.#components;
    await blocks.settled();
    const units: Unit[] = [];
    for (const [key, held] of this.#underWay) {
      if (held.lane !== lane) continue;
      this.#underWay.delete(key);
      units.push(held.unit);
    }
    this.#frontier.giveBack(units);
    this.#lanes.delete(lane);
    if (this.#isOver) return;
    this.#demands.lost(units.map(({ key }) => key));
    const { source } = lane;
    if (isMoved(error) && ++this.#moves <= MAX_MOVES) {
      log.info({ source: nameOf(source), blocks: lane.blocks }, "transfer goes on over another connection");
      this.#noteHealth(lane, undefined);
      this.#queue.unshift(source);
      this.#join();
      return;
    }
    metrics.handovers.add(1, { rung: source.rung, code: error.code });
    log.info(
      { rung: source.rung, source: nameOf(source), code: error.code, blocks: lane.blocks },
      "transfer leaves a source",
    );
    this.#noteHealth(lane, error.code);
    const { code, message } = error;
    this.#attempt({
      rung: source.rung,
      source: nameOf(source),
      code,
      message,
      blocks: lane.blocks,
      bytes: lane.bytes,
      atMs: clock.now(),
    });
    if (OWN_TROUBLE.has(code)) this.#end({ ok: false, attempts: this.#attempts, fatal: error });
    else if (!FINAL.has(code)) this.#retry.push(source);
    if (this.#queue[0]?.rung === source.rung) this.#join();
  }

  #attempt(attempt: TransferAttempt): void {
    this.#attempts.push(attempt);
    this.#init.onAttempt(attempt);
    if (this.#attempts.length > MAX_ATTEMPTS_KEPT) this.#attempts.shift();
  }

  #noteHealth(lane: Lane, code: string | undefined): void {
    // One that was asked for nothing has shown nothing.
    if (code === undefined && lane.blocks === 0) return;
    const durationMs = this.clock.monotonicMs() - lane.startedMs;
    const { blocks, bytes, source } = lane;
    const root = this.#init.want.root.toString();
    this.#components.health.note(source, { blocks, bytes, durationMs, code, root });
  }

  /** Begins with the next rung of this round, or with the next round. */
  #next(): void {
    const [first] = this.#queue;
    if (first === undefined) {
      void this.#nextRound();
      return;
    }
    while (this.#queue[0]?.rung === first.rung && this.#lanes.size < MAX_PARALLEL_SOURCES) this.#join();
    if (this.#lanes.size === 0 && this.#ending === 0) this.#next();
  }

  #idleRounds = 0;
  #moves = 0;

  async #nextRound(): Promise<void> {
    this.#queue = this.#retry;
    this.#retry = [];
    this.#idleRounds = this.#brought > 0 ? 0 : this.#idleRounds + 1;
    const isIdle = this.#brought === 0;
    this.#brought = 0;
    if (this.#queue.length === 0 || this.#idleRounds >= MAX_IDLE_ROUNDS) {
      this.#end({ ok: false, attempts: this.#attempts });
      return;
    }
    if (isIdle) {
      const wait = { initialMs: this.#init.pace?.retryMs ?? RETRY_MS, maxMs: RETRY_MAX_MS };
      await new Promise<void>(resolve => {
        this.clock.after(backoffMs(this.#idleRounds, wait), resolve);
      });
    }
    if (!this.#isOver) this.#next();
  }

  /** Asks one source more, where there is one and room for it. */
  #join(): void {
    if (this.#isOver || this.#lanes.size >= MAX_PARALLEL_SOURCES) return;
    const source = this.#queue.shift();
    if (source === undefined) return;
    const banned = this.#components.health.bannedFor(source);
    if (banned !== undefined) {
      const { code, message } = banned;
      const name = nameOf(source);
      const atMs = this.#components.clock.now();
      this.#attempt({ rung: source.rung, source: name, code, message, blocks: 0, bytes: 0, atMs });
      return;
    }
    const lane = new Lane(source, this);
    const isAlone = this.#lanes.size === 0 && this.#queue[0]?.rung !== source.rung;
    this.#lanes.add(lane);
    this.#init.onSource(source);
    if (source.rung === "http" && isAlone && !this.isHurried) this.#fetchWhole(lane, source);
    else {
      this.#whole?.stop.abort();
      lane.pump();
    }
  }

  /** A gateway that is asked alone sends all of it in one answer. */
  #fetchWhole(lane: Lane, source: Extract<TransferSource, { rung: "http" }>): void {
    const stop = new AbortController();
    this.#whole = { lane, stop };
    const { strategies, blocks } = this.#components;
    const ask: Ask = async options => {
      try {
        return await strategies.http.fetch(source, this.#init.want, options);
      } finally {
        await blocks.settled();
        if (this.#whole?.lane === lane) this.#whole = undefined;
        for (const other of this.#lanes) if (other !== lane) other.pump();
      }
    };
    void lane.run(ask, stop.signal);
  }

  /** Gives a block that a player waits for to the quickest source; false when there is none, or it is under way. */
  #assign(cid: CID, besides: boolean): boolean {
    if (this.#whole !== undefined) {
      // It is given out when the answer has ended: a block of it may be that very one.
      this.#hurriedUntilMs = this.clock.monotonicMs() + HURRY_MS;
      this.#whole.stop.abort();
      return false;
    }
    const key = keyOf(cid);
    const held = this.#underWay.get(key);
    if (held !== undefined && !besides) return true;
    const lanes = [...this.#lanes].filter(
      lane => !lane.isOver && lane !== held?.lane && !lane.lacked.has(key),
    );
    const [lane] = lanes.toSorted(
      (a, b) => Number(a.isSlow) - Number(b.isSlow) || b.bytesPerSecond - a.bytesPerSecond,
    );
    if (lane === undefined) return false;
    const unit = held?.unit ?? this.#frontier.claim(cid);
    if (unit === undefined) return false;
    if (held !== undefined) this.#hedged.set(key, "asked");
    this.#underWay.set(key, { unit, lane });
    // A reader who follows the copy closely needs no hurry: what he waits for is under way.
    this.#hurriedUntilMs = this.clock.monotonicMs() + HURRY_MS;
    lane.urgent(unit);
    return true;
  }

  #leave(lane: Lane): void {
    const what = `${nameOf(lane.source)} brought no verified block for ${this.slowStartMs} ms`;
    lane.fail(new CidcastError("TIMEOUT", what));
  }

  #end(result: SwarmResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#result.resolve(result);
  }
}

async function askSource(
  source: TransferSource,
  { libp2p, websocket, http }: Strategies,
  cids: readonly CID[],
  options: Parameters<Ask>[0],
): Promise<FetchResult> {
  if (source.rung === "websocket") return websocket.fetchBlocks(source, cids, options);
  if (source.rung === "http") return http.fetchBlocks(source, cids, options);
  if (libp2p !== undefined) return libp2p.fetchBlocks(source, cids, options);
  throw new CidcastError("FEATURE_DISABLED", "libp2p is switched off or could not start");
}
