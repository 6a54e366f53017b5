import type { Kysely } from "kysely";
import { z } from "zod";
import { CidcastError, type Clock, type Logger, messageOf } from "../../core/index.ts";
import { BAD_SOURCE_BAN_MS, MAX_REMEMBERED_SOURCES } from "../limits.ts";
import type { TransferTables } from "./migrations.ts";
import type { SourceOutcome, SourceReputation } from "../types.ts";
import { nameOf } from "./target.ts";
import type { TransferSource } from "./types.ts";

/** Weight of the newest try in the averages. */
const NEWEST = 0.3;

const facts = z.object({
  /** 0 to 1: share of tries that brought what was asked for, the newest counting most. */
  success: z.number(),
  /** Average of tries that brought something. */
  bytesPerSecond: z.number(),
  blocks: z.number(),
  badBlocks: z.number(),
  lastCode: z.string().optional(),
  bannedUntilMs: z.number(),
});
/** How a source did, rung by rung. */
export type SourceHealth = z.output<typeof facts>;

const UNKNOWN: SourceHealth = { success: 0.5, bytesPerSecond: 0, blocks: 0, badBlocks: 0, bannedUntilMs: 0 };

/** What sources have done so far; kept over restarts. */
export class Health {
  readonly #db: Kysely<TransferTables>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #reputation: SourceReputation | undefined;
  /** The longest unused first. */
  readonly #known = new Map<string, SourceHealth>();
  #writing: Promise<void> = Promise.resolve();

  constructor(components: {
    readonly db: Kysely<TransferTables>;
    readonly clock: Clock;
    readonly log: Logger;
    /** What other parts of the node know of peers. */
    readonly reputation?: SourceReputation | undefined;
  }) {
    this.#db = components.db;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#reputation = components.reputation;
  }

  async load(): Promise<void> {
    const rows = await this.#db
      .selectFrom("transfer_health")
      .selectAll()
      .orderBy("updated_at_ms", "desc")
      .limit(MAX_REMEMBERED_SOURCES)
      .execute();
    for (const row of rows.toReversed()) {
      const parsed = facts.safeParse(JSON.parse(row.facts));
      if (parsed.success) this.#known.set(row.source, parsed.data);
    }
  }

  /** Waits until everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  of(source: TransferSource): SourceHealth {
    return this.#known.get(keyOf(source)) ?? UNKNOWN;
  }

  /** The error of a source that is not asked at present: it sent a bad block a while ago. */
  bannedFor(source: TransferSource): CidcastError | undefined {
    const own = this.of(source).bannedUntilMs - this.#clock.now();
    const isBanned = source.rung === "libp2p" && this.#reputation?.isBanned(source.peerId) === true;
    const leftMs = isBanned ? Math.max(own, this.#reputation?.waitMs(source.peerId) ?? 0) : own;
    if (leftMs <= 0) return undefined;
    return new CidcastError(
      "CORRUPT_BLOCK",
      `${nameOf(source)} sent a bad block and is not asked for another ${Math.ceil(leftMs / 1000)} s`,
    );
  }

  /** Sources of one rung, the best first: peers by their reputation for `root`, all by success, then by throughput. */
  sort<S extends TransferSource>(sources: readonly S[], root?: string): S[] {
    const reputed = (source: S): number =>
      source.rung === "libp2p" ? (this.#reputation?.score(source.peerId, root) ?? 0) : 0;
    return sources.toSorted((a, b) => {
      const reputation = reputed(b) - reputed(a);
      if (reputation !== 0) return reputation;
      const [left, right] = [this.of(a), this.of(b)];
      return right.success - left.success || right.bytesPerSecond - left.bytesPerSecond;
    });
  }

  note(
    source: TransferSource,
    tried: {
      readonly blocks: number;
      readonly bytes: number;
      readonly durationMs: number;
      readonly code: string | undefined;
      /** CID of what was transferred. */
      readonly root?: string;
    },
  ): void {
    const before = this.of(source);
    const isBad = tried.code === "CORRUPT_BLOCK";
    const rate = tried.bytes / Math.max(0.001, tried.durationMs / 1000);
    const next: SourceHealth = {
      success: before.success * (1 - NEWEST) + (tried.code === undefined ? NEWEST : 0),
      bytesPerSecond:
        tried.blocks === 0
          ? before.bytesPerSecond
          : before.bytesPerSecond === 0
            ? rate
            : before.bytesPerSecond * (1 - NEWEST) + rate * NEWEST,
      blocks: before.blocks + tried.blocks,
      badBlocks: before.badBlocks + (isBad ? 1 : 0),
      ...(tried.code !== undefined && { lastCode: tried.code }),
      bannedUntilMs: isBad ? this.#clock.now() + BAD_SOURCE_BAN_MS : before.bannedUntilMs,
    };
    if (source.rung === "libp2p") this.#reputation?.note(source.peerId, outcomeOf(tried));
    const key = keyOf(source);
    this.#known.delete(key);
    this.#known.set(key, next);
    const [oldest] = this.#known.keys();
    const dropped = this.#known.size > MAX_REMEMBERED_SOURCES ? oldest : undefined;
    if (dropped !== undefined) this.#known.delete(dropped);
    this.#writing = this.#writing
      .then(() => this.#write(key, next, dropped))
      .catch((error: unknown) => {
        this.#log.warn({ reason: messageOf(error) }, "the health of a source was not written");
      });
  }

  async #write(source: string, health: SourceHealth, dropped: string | undefined): Promise<void> {
    const row = { facts: JSON.stringify(health), updated_at_ms: this.#clock.now() };
    await this.#db
      .insertInto("transfer_health")
      .values({ source, ...row })
      .onConflict(conflict => conflict.column("source").doUpdateSet(row))
      .execute();
    if (dropped !== undefined) {
      await this.#db.deleteFrom("transfer_health").where("source", "=", dropped).execute();
    }
  }
}

function keyOf(source: TransferSource): string {
  return `${source.rung} ${nameOf(source)}`;
}

/** How a try with a peer went, in the words of its reputation. What it brought before it ended counts for it. */
function outcomeOf(tried: {
  readonly bytes: number;
  readonly durationMs: number;
  readonly code: string | undefined;
  readonly root?: string;
}): SourceOutcome {
  const { bytes, durationMs, code, root } = tried;
  const facts = { bytes, durationMs, ...(root !== undefined && { about: root }) };
  if (code === "CORRUPT_BLOCK") return { result: "bad", ...facts };
  if (code === "CONTENT_NOT_FOUND") return { result: "lacks", ...facts };
  return { result: code === undefined ? "ok" : "failed", ...facts };
}
