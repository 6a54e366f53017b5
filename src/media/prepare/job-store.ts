import type { Insertable, Kysely, Selectable } from "kysely";
import type { Database } from "../../store/index.ts";
import type { LadderCodec, PresetName } from "./ladder.ts";
import type { PrepareTables } from "./migrations.ts";
import type { JobProgress, PrepareJob } from "./types.ts";

/** A segment that a job has made. */
export interface MadeSegment {
  readonly track: string;
  readonly rendition: string;
  readonly number: number;
  /** Empty where no frame lies in that time. */
  readonly cid: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly bytes: number;
  /** `[time, offset]` of each GOP. */
  readonly gops: readonly (readonly [number, number])[];
}

/** Jobs and what they have made, in the database. */
export class JobStore {
  readonly #db: Kysely<PrepareTables>;

  constructor(database: Pick<Database, "tables">) {
    this.#db = database.tables<PrepareTables>();
  }

  async insert(job: PrepareJob): Promise<void> {
    await this.#db.insertInto("media_job").values(toRow(job)).execute();
  }

  async update(job: PrepareJob): Promise<void> {
    const { id, state, progress, result, error, ended_at_ms } = toRow(job);
    const changes = { state, progress, result, error, ended_at_ms };
    await this.#db.updateTable("media_job").set(changes).where("id", "=", id).execute();
  }

  async job(id: string): Promise<PrepareJob | undefined> {
    const row = await this.#db.selectFrom("media_job").selectAll().where("id", "=", id).executeTakeFirst();
    return row === undefined ? undefined : fromRow(row);
  }

  /** Newest first; those of one owner, or of everybody. */
  async list(limit: number, owner?: string): Promise<PrepareJob[]> {
    const jobs = this.#db.selectFrom("media_job").selectAll();
    const rows = await (owner === undefined ? jobs : jobs.where("owner", "=", owner))
      .orderBy("created_at_ms", "desc")
      .orderBy("id")
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** Those that are not over, oldest first. */
  async unfinished(): Promise<PrepareJob[]> {
    const rows = await this.#db
      .selectFrom("media_job")
      .selectAll()
      .where("state", "in", ["queued", "running"])
      .orderBy("created_at_ms")
      .orderBy("id")
      .execute();
    return rows.map(fromRow);
  }

  /**
   * Takes a job for a node until a time, or keeps it. False when it is over, or another node has it: nodes may share a
   * database.
   */
  async claim(
    id: string,
    claim: { readonly node: string; readonly nowMs: number; readonly untilMs: number },
  ): Promise<boolean> {
    const { node, nowMs, untilMs } = claim;
    const { numUpdatedRows } = await this.#db
      .updateTable("media_job")
      .set({ node, lease_until_ms: untilMs })
      .where("id", "=", id)
      .where("state", "in", ["queued", "running"])
      .where(free =>
        free.or([free("node", "is", null), free("node", "=", node), free("lease_until_ms", "<", nowMs)]),
      )
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** Forgets all but the newest jobs that are over. */
  async trim(keep: number): Promise<void> {
    const kept = this.#db
      .selectFrom("media_job")
      .select("id")
      .where("state", "not in", ["queued", "running"])
      .orderBy("created_at_ms", "desc")
      .limit(keep);
    await this.#db
      .deleteFrom("media_job")
      .where("state", "not in", ["queued", "running"])
      .where("id", "not in", kept)
      .execute();
  }

  /** Keeps segments, all or none. */
  async keep(jobId: string, segments: readonly MadeSegment[]): Promise<void> {
    await this.#db.transaction().execute(async db => {
      for (const made of segments) {
        const { track, rendition, number, cid, bytes } = made;
        const values = {
          cid,
          bytes,
          start_us: made.startUs,
          duration_us: made.durationUs,
          gops: JSON.stringify(made.gops),
        };
        await db
          .insertInto("media_job_segment")
          .values({ job_id: jobId, track, rendition, number, ...values })
          .onConflict(conflict =>
            conflict.columns(["job_id", "track", "rendition", "number"]).doUpdateSet(values),
          )
          .execute();
      }
    });
  }

  /** What a job has made, in order. */
  async made(jobId: string): Promise<MadeSegment[]> {
    const rows = await this.#db
      .selectFrom("media_job_segment")
      .selectAll()
      .where("job_id", "=", jobId)
      .orderBy("track")
      .orderBy("rendition")
      .orderBy("number")
      .execute();
    return rows.map(row => ({
      track: row.track,
      rendition: row.rendition,
      number: Number(row.number),
      cid: row.cid,
      startUs: Number(row.start_us),
      durationUs: Number(row.duration_us),
      bytes: Number(row.bytes),
      // Written by `keep` from a value of this type.
      gops: JSON.parse(row.gops) as [number, number][],
    }));
  }

  async drop(jobId: string): Promise<void> {
    await this.#db.deleteFrom("media_job_segment").where("job_id", "=", jobId).execute();
  }

  async setPrepared(row: {
    source: string;
    root: string;
    signature: string | null;
    atMs: number;
  }): Promise<void> {
    const { source, root, signature, atMs } = row;
    const values = { signature, made_at_ms: atMs };
    await this.#db
      .insertInto("media_prepared")
      .values({ source, root, ...values })
      .onConflict(conflict => conflict.columns(["source", "root"]).doUpdateSet(values))
      .execute();
  }

  /** The newest manifest of a source. */
  async prepared(source: string): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom("media_prepared")
      .select("root")
      .where("source", "=", source)
      .orderBy("made_at_ms", "desc")
      .executeTakeFirst();
    return row?.root;
  }
}

function toRow(job: PrepareJob): Insertable<PrepareTables["media_job"]> {
  return {
    id: job.id,
    cid: job.cid,
    presets: job.presets === undefined ? null : JSON.stringify(job.presets),
    state: job.state,
    progress: JSON.stringify(job.progress),
    result: job.result === undefined ? null : JSON.stringify(job.result),
    error: job.error === undefined ? null : JSON.stringify(job.error),
    created_at_ms: job.createdAtMs,
    ended_at_ms: job.endedAtMs ?? null,
    owner: job.owner ?? null,
    options: JSON.stringify({ codec: job.codec }),
  };
}

/** All JSON here was written by `toRow` from values of these types. */
function fromRow(row: Selectable<PrepareTables["media_job"]>): PrepareJob {
  return {
    id: row.id,
    cid: row.cid,
    presets: row.presets === null ? undefined : (JSON.parse(row.presets) as PresetName[]),
    // Jobs of earlier versions have no options.
    codec: row.options === null ? "h264" : (JSON.parse(row.options) as { codec: LadderCodec }).codec,
    owner: row.owner ?? undefined,
    state: row.state as PrepareJob["state"],
    progress: JSON.parse(row.progress) as JobProgress,
    result: row.result === null ? undefined : (JSON.parse(row.result) as PrepareJob["result"]),
    error: row.error === null ? undefined : (JSON.parse(row.error) as PrepareJob["error"]),
    createdAtMs: Number(row.created_at_ms),
    endedAtMs: row.ended_at_ms === null ? undefined : Number(row.ended_at_ms),
  };
}
