import {
  type AbortOptions,
  backoffMs,
  CidcastError,
  type Clock,
  isCidcastError,
  type Logger,
  raceSignal,
  toCidcastError,
} from "../../core/index.ts";
import {
  MAX_ATTEMPTS_KEPT,
  MAX_IDLE_ROUNDS,
  RETRY_MAX_MS,
  RETRY_MS,
  SLOW_START_MS,
  STALL_TIMEOUT_MS,
} from "../limits.ts";
import type { TransferMetrics } from "../metrics.ts";
import type { GatewaySource } from "../strategies/http.ts";
import type { PeerSource } from "../strategies/libp2p.ts";
import type { WebSocketSource } from "../strategies/web-socket.ts";
import type { FetchOptions, FetchResult, TransferStrategy, TransferWant } from "../types.ts";
import type { Health } from "./health.ts";
import { nameOf } from "./target.ts";
import type { TransferAttempt, TransferSource } from "./types.ts";

/** The rungs there are. */
export interface Strategies {
  readonly libp2p: TransferStrategy<PeerSource> | undefined;
  readonly websocket: TransferStrategy<WebSocketSource>;
  readonly http: TransferStrategy<GatewaySource>;
}

export interface ChainInit extends AbortOptions {
  readonly want: TransferWant;
  /** Best first. */
  readonly sources: readonly TransferSource[];
  readonly priority: number;
  readonly onSource: (source: TransferSource) => void;
  readonly onBlock: NonNullable<FetchOptions["onBlock"]>;
  /** Hears of each try that ended without the whole. */
  readonly onAttempt: (attempt: TransferAttempt) => void;
  readonly pace?: ChainPace;
}

/** How long sources are waited for. */
export interface ChainPace {
  readonly stallTimeoutMs?: number;
  readonly slowStartMs?: number;
  readonly retryMs?: number;
}

export interface ChainComponents {
  readonly strategies: Strategies;
  readonly blocks: { settled(): Promise<void> };
  readonly health: Health;
  readonly metrics: TransferMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is the receiver's own trouble: no other source helps. */
const OWN_TROUBLE: ReadonlySet<string> = new Set([
  "STORAGE_FULL",
  "STORAGE_FAILED",
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
 * Fetches what is missing of a want from one source after another until all of it is here: each goes on where the last one
 * stopped. A source that fails, brings no verified block for a while, or sends a bad one hands on the rest; one that is slow
 * to begin is left for the next and asked again later. Gives the tries that did not bring the whole; `ok` tells whether
 * all of it is here. Rejects when the signal aborts.
 */
export async function runChain(
  init: ChainInit,
  components: ChainComponents,
): Promise<{
  readonly ok: boolean;
  readonly attempts: readonly TransferAttempt[];
  readonly fatal?: CidcastError;
}> {
  const attempts: TransferAttempt[] = [];
  let queue = [...init.sources];
  let idleRounds = 0;
  for (let round = 0; queue.length > 0; round++) {
    const retry: TransferSource[] = [];
    let brought = 0;
    for (const [index, source] of queue.entries()) {
      const isLast = index === queue.length - 1;
      const tried = await tryOne(source, { ...init, mayWait: round > 0 || isLast }, components);
      brought += tried.blocks;
      if (tried.error === undefined) return { ok: true, attempts };
      const { error } = tried;
      components.metrics.handovers.add(1, { rung: source.rung, code: error.code });
      components.log.info(
        { rung: source.rung, source: nameOf(source), code: error.code, blocks: tried.blocks },
        "transfer leaves a source",
      );
      const attempt: TransferAttempt = {
        rung: source.rung,
        source: nameOf(source),
        code: error.code,
        message: error.message,
        blocks: tried.blocks,
        bytes: tried.bytes,
        atMs: components.clock.now(),
      };
      attempts.push(attempt);
      init.onAttempt(attempt);
      if (attempts.length > MAX_ATTEMPTS_KEPT) attempts.shift();
      if (OWN_TROUBLE.has(error.code)) return { ok: false, attempts, fatal: error };
      if (!FINAL.has(error.code)) retry.push(source);
    }
    queue = retry;
    idleRounds = brought > 0 ? 0 : idleRounds + 1;
    if (idleRounds >= MAX_IDLE_ROUNDS) break;
    if (queue.length > 0 && brought === 0) {
      const wait = { initialMs: init.pace?.retryMs ?? RETRY_MS, maxMs: RETRY_MAX_MS };
      await pause(backoffMs(idleRounds, wait), init, components);
    }
  }
  return { ok: false, attempts };
}

interface Tried {
  readonly blocks: number;
  readonly bytes: number;
  /** Undefined: all of the want is here. */
  readonly error: CidcastError | undefined;
}

async function tryOne(
  source: TransferSource,
  init: ChainInit & { readonly mayWait: boolean },
  components: ChainComponents,
): Promise<Tried> {
  const { clock, health } = components;
  const banned = health.bannedFor(source);
  if (banned !== undefined) return { blocks: 0, bytes: 0, error: banned };
  const { want, signal, priority } = init;
  const { stallTimeoutMs = STALL_TIMEOUT_MS, slowStartMs = SLOW_START_MS } = init.pace ?? {};
  signal?.throwIfAborted();
  const giveUp = new AbortController();
  const startedMs = clock.monotonicMs();
  let blocks = 0;
  let bytes = 0;
  const leave = (ms: number): (() => void) =>
    clock.after(ms, () => {
      giveUp.abort(new CidcastError("TIMEOUT", `${nameOf(source)} brought no verified block for ${ms} ms`));
    });
  let cancel = leave(init.mayWait ? stallTimeoutMs : Math.min(slowStartMs, stallTimeoutMs));
  init.onSource(source);
  let error: CidcastError | undefined;
  try {
    const result = await fetchFrom(source, components.strategies, want, {
      signal: signal === undefined ? giveUp.signal : AbortSignal.any([signal, giveUp.signal]),
      priority,
      onBlock: (cid, size) => {
        cancel();
        cancel = leave(stallTimeoutMs);
        blocks++;
        bytes += size;
        init.onBlock(cid, size);
      },
    });
    const [missing] = result.missing;
    if (missing !== undefined) {
      error = new CidcastError(
        "CONTENT_NOT_FOUND",
        `${nameOf(source)} lacks ${result.missing.length} blocks, ${missing.toString()} among them`,
      );
    }
  } catch (thrown) {
    signal?.throwIfAborted();
    error = giveUp.signal.aborted ? toCidcastError(giveUp.signal.reason) : toCidcastError(thrown);
  } finally {
    cancel();
    // What is still being stored is not to be asked for by the next.
    await components.blocks.settled();
  }
  health.note(source, {
    blocks,
    bytes,
    durationMs: clock.monotonicMs() - startedMs,
    code: error?.code,
    root: want.root.toString(),
  });
  return { blocks, bytes, error };
}

/** Raced with the signal: a source that never answers must not hold the next one up. */
function fetchFrom(
  source: TransferSource,
  strategies: Strategies,
  want: TransferWant,
  options: FetchOptions,
): Promise<FetchResult> {
  return raceSignal(started(source, strategies, want, options), options.signal);
}

async function started(
  source: TransferSource,
  { libp2p, websocket, http }: Strategies,
  want: TransferWant,
  options: FetchOptions,
): Promise<FetchResult> {
  if (source.rung === "websocket") return websocket.fetch(source, want, options);
  if (source.rung === "http") return http.fetch(source, want, options);
  if (libp2p !== undefined) return libp2p.fetch(source, want, options);
  throw new CidcastError("FEATURE_DISABLED", "libp2p is switched off or could not start");
}

async function pause(ms: number, { signal }: AbortOptions, { clock }: ChainComponents): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  try {
    await raceSignal(promise, signal);
  } catch (error) {
    throw isCidcastError(error) ? error : toCidcastError(error);
  } finally {
    cancel();
  }
}
