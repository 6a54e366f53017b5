import { type Logger, messageOf } from "../../core/index.ts";
import type { PeerDatabase } from "../identity/migrations.ts";
import { MAX_FAMILY_MEMBERS, MAX_KNOWN_PEERS } from "../limits.ts";
import { type Entry, entrySchema } from "./entry.ts";

/** Where reputations outlive the process. */
export class ReputationStore {
  readonly #db: PeerDatabase;
  readonly #log: Logger;
  #writing: Promise<void> = Promise.resolve();

  constructor(db: PeerDatabase, log: Logger) {
    this.#db = db;
    this.#log = log;
  }

  /** What was kept, the longest unused first. */
  async entries(): Promise<(readonly [string, Entry])[]> {
    const rows = await this.#db
      .selectFrom("p2p_reputation")
      .selectAll()
      .orderBy("updated_at_ms", "desc")
      .limit(MAX_KNOWN_PEERS)
      .execute();
    return rows.toReversed().flatMap(row => {
      const parsed = entrySchema.safeParse(JSON.parse(row.facts));
      return parsed.success ? [[row.peer_id, parsed.data] as const] : [];
    });
  }

  /** Pairs of member and parent, the oldest first. */
  async families(): Promise<(readonly [string, string])[]> {
    const rows = await this.#db
      .selectFrom("p2p_family")
      .select(["member", "parent"])
      .orderBy("added_at_ms", "desc")
      .limit(MAX_FAMILY_MEMBERS)
      .execute();
    return rows.toReversed().map(row => [row.member, row.parent] as const);
  }

  /** Queues a change; failures are logged. */
  write(change: Change, nowMs: number): void {
    this.#writing = this.#writing
      .then(() => this.#write(change, nowMs))
      .catch((error: unknown) => {
        this.#log.warn({ reason: messageOf(error) }, "what is known of peers was not written");
      });
  }

  /** Waits until all is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write({ entries, dropped, families }: Change, nowMs: number): Promise<void> {
    for (const [peerId, entry] of entries) {
      const row = { facts: JSON.stringify(entry), updated_at_ms: entry.lastSeenMs };
      await this.#db
        .insertInto("p2p_reputation")
        .values({ peer_id: peerId, ...row })
        .onConflict(conflict => conflict.column("peer_id").doUpdateSet(row))
        .execute();
    }
    if (dropped.length > 0) {
      await this.#db
        .deleteFrom("p2p_reputation")
        .where("peer_id", "in", [...dropped])
        .execute();
    }
    for (const [member, parent] of families) {
      await this.#db
        .insertInto("p2p_family")
        .values({ member, parent, added_at_ms: nowMs })
        .onConflict(conflict => conflict.columns(["member", "parent"]).doUpdateSet({ added_at_ms: nowMs }))
        .execute();
    }
    if (families.length > 0) await this.#prune();
  }

  async #prune(): Promise<void> {
    const newest = await this.#db
      .selectFrom("p2p_family")
      .select("added_at_ms")
      .orderBy("added_at_ms", "desc")
      .offset(MAX_FAMILY_MEMBERS)
      .limit(1)
      .executeTakeFirst();
    if (newest === undefined) return;
    await this.#db.deleteFrom("p2p_family").where("added_at_ms", "<", Number(newest.added_at_ms)).execute();
  }
}

export interface Change {
  readonly entries: readonly (readonly [string, Entry])[];
  readonly dropped: readonly string[];
  readonly families: readonly (readonly [string, string])[];
}
