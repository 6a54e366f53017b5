import type { CID } from "multiformats/cid";
import { type Cancel, CidcastError, type Clock, raceSignal, toCidcastError } from "../../core/index.ts";
import {
  BULK_PIECES_AHEAD,
  MAX_PIECE_BLOCKS,
  MAX_PIECE_BYTES,
  MIN_PIECE_BYTES,
  PIECE_TARGET_MS,
  START_PIECE_BYTES,
  URGENT_PRIORITY,
} from "../limits.ts";
import { nameOf } from "../transfers/target.ts";
import type { TransferSource } from "../transfers/types.ts";
import type { TakeOptions, Unit } from "./frontier.ts";
import type { Ask } from "./types.ts";

/** What a lane needs of the swarm it belongs to. */
export interface LaneHost {
  readonly clock: Clock;
  readonly stallTimeoutMs: number;
  readonly slowStartMs: number;
  /** True while a player waits for blocks, or did a moment ago: copies then keep little under way. */
  readonly isHurried: boolean;
  /** The next blocks for this lane; they are under way in it from now on. */
  take(lane: Lane, options: TakeOptions): Promise<Unit[]>;
  ask(lane: Lane, cids: readonly CID[], options: Parameters<Ask>[0]): ReturnType<Ask>;
  arrived(lane: Lane, cid: CID, size: number, bytes: Uint8Array): void;
  lacked(lane: Lane, cids: readonly CID[]): void;
  slow(lane: Lane): void;
  /** The lane has nothing to do. */
  idle(lane: Lane): void;
  failed(lane: Lane, error: CidcastError): void;
}

/** One source at work: keeps a few pieces under way, as large as it brings in a quarter of a second. */
export class Lane {
  readonly source: TransferSource;
  readonly #host: LaneHost;
  readonly #stop = new AbortController();
  /** Pieces under way. */
  readonly #open = new Set<Promise<void>>();
  readonly lacked = new Set<string>();
  readonly startedMs: number;
  blocks = 0;
  bytes = 0;
  /** True when it has brought nothing for a while. */
  isSlow = false;
  #bulk = 0;
  /** Pieces begun, up to those that begin together. */
  #begun = 0;
  #pieceBytes = START_PIECE_BYTES;
  #watch: Cancel | undefined;
  #pumping: Promise<void> | undefined;
  #again = false;

  constructor(source: TransferSource, host: LaneHost) {
    this.source = source;
    this.#host = host;
    this.startedMs = host.clock.monotonicMs();
  }

  get isOver(): boolean {
    return this.#stop.signal.aborted;
  }

  /** True while something is asked of the source. */
  get isBusy(): boolean {
    return this.#open.size > 0;
  }

  get bytesPerSecond(): number {
    const seconds = (this.#host.clock.monotonicMs() - this.startedMs) / 1000;
    return this.bytes / Math.max(0.001, seconds);
  }

  /** Asks for more where there is room and something to be had. */
  pump(): void {
    if (this.isOver) return;
    if (this.#pumping !== undefined) {
      this.#again = true;
      return;
    }
    this.#pumping = this.#fill().then(
      () => this.#filled(),
      (error: unknown) => {
        this.#pumping = undefined;
        this.fail(toCidcastError(error));
      },
    );
  }

  /** Asks for one block before everything else. */
  urgent(unit: Unit): void {
    this.#start([unit.cid], URGENT_PRIORITY, false);
  }

  /** Fetches in one go instead of in pieces, until `signal` aborts. */
  run(ask: Ask, signal: AbortSignal): Promise<void> {
    const whole: Ask = async options => {
      try {
        return await ask({ ...options, signal: AbortSignal.any([signal, this.#stop.signal]) });
      } catch (error) {
        if (signal.aborted && !this.isOver) return { blocks: 0, bytes: 0, missing: [] };
        throw error;
      }
    };
    return this.#ask(whole, 0);
  }

  /** Ends it: nothing comes of what is under way. */
  fail(error: CidcastError): void {
    if (this.isOver) return;
    this.close(error);
    this.#host.failed(this, error);
  }

  /** Ends it and tells nobody. */
  close(reason: CidcastError): void {
    this.#watch?.();
    this.#watch = undefined;
    this.#stop.abort(reason);
  }

  async #fill(): Promise<void> {
    const { isHurried } = this.#host;
    const ahead = isHurried ? 1 : BULK_PIECES_AHEAD;
    while (!this.isOver && this.#bulk < ahead) {
      const usual = isHurried ? Math.max(MIN_PIECE_BYTES, this.#pieceBytes / 4) : this.#pieceBytes;
      // The first ones differ in size: senders let equals take turns, and pieces that ended together would leave a gap.
      const maxBytes = this.#begun < ahead ? (usual * ++this.#begun) / ahead : usual;
      const units = await this.#host.take(this, {
        maxBytes,
        maxBlocks: MAX_PIECE_BLOCKS,
        lacked: this.lacked,
      });
      if (units.length === 0) return;
      this.#start(
        units.map(({ cid }) => cid),
        0,
        true,
      );
    }
  }

  #filled(): void {
    this.#pumping = undefined;
    if (this.isOver) return;
    if (this.#again) {
      this.#again = false;
      this.pump();
    } else if (!this.isBusy) {
      this.#host.idle(this);
    }
  }

  #start(cids: readonly CID[], priority: number, isBulk: boolean): void {
    const startedMs = this.#host.clock.monotonicMs();
    if (isBulk) this.#bulk++;
    const ask: Ask = async options => {
      try {
        return await this.#host.ask(this, cids, options);
      } finally {
        if (isBulk) {
          this.#bulk--;
          this.#size(this.#host.clock.monotonicMs() - startedMs);
        }
      }
    };
    void this.#ask(ask, priority);
  }

  /** Pieces become larger while they come quickly, and smaller where they do not. */
  #size(tookMs: number): void {
    if (tookMs < PIECE_TARGET_MS) this.#pieceBytes = Math.min(MAX_PIECE_BYTES, this.#pieceBytes * 2);
    else if (tookMs > 4 * PIECE_TARGET_MS) {
      this.#pieceBytes = Math.max(MIN_PIECE_BYTES, this.#pieceBytes / 2);
    }
  }

  async #ask(ask: Ask, priority: number): Promise<void> {
    const { signal } = this.#stop;
    const asked = (async (): Promise<void> => {
      try {
        // Raced: a source that never answers must not hold others up.
        const { missing } = await raceSignal(
          ask({ signal, priority, onBlock: (cid, size, bytes) => this.#came(cid, size, bytes) }),
          signal,
        );
        if (missing.length > 0 && !this.isOver) this.#host.lacked(this, missing);
      } catch (error) {
        this.fail(toCidcastError(error));
      }
    })();
    this.#open.add(asked);
    if (this.#open.size === 1) this.#wait();
    await asked;
    this.#open.delete(asked);
    if (this.isOver) return;
    if (!this.isBusy) this.#watch?.();
    this.pump();
  }

  #came(cid: CID, size: number, bytes: Uint8Array): void {
    this.blocks++;
    this.bytes += size;
    this.isSlow = false;
    this.#host.arrived(this, cid, size, bytes);
    if (!this.isOver) this.#wait();
  }

  /** Starts the wait for the next block anew. */
  #wait(): void {
    this.#watch?.();
    const { clock, slowStartMs, stallTimeoutMs } = this.#host;
    const stalled = (): void => {
      const what = `${nameOf(this.source)} brought no verified block for ${stallTimeoutMs} ms`;
      this.fail(new CidcastError("TIMEOUT", what));
    };
    if (slowStartMs >= stallTimeoutMs) {
      this.#watch = clock.after(stallTimeoutMs, stalled);
      return;
    }
    this.#watch = clock.after(slowStartMs, () => {
      this.isSlow = true;
      this.#watch = clock.after(stallTimeoutMs - slowStartMs, stalled);
      this.#host.slow(this);
    });
  }
}
