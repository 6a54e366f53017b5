import type { ColumnType } from "kysely";
import type { Migration } from "../../store/index.ts";

/** A number of 64 bits: PostgreSQL gives it as text. */
type BigNumber = ColumnType<number | string, number, number>;

/** Tables of prepared media. */
export interface PrepareTables {
  media_job: {
    id: string;
    cid: string;
    /** JSON: names of the presets that were asked for; null: all that fit. */
    presets: string | null;
    state: string;
    /** JSON. */
    progress: string;
    /** JSON: what came of it. */
    result: string | null;
    /** JSON: code and message. */
    error: string | null;
    created_at_ms: BigNumber;
    ended_at_ms: BigNumber | null;
    /** Tenant whose job it is; null: the node's own. */
    owner: string | null;
    /** JSON: what else was asked for. */
    options: string | null;
    /** The node that works on it, and until when it has it to itself. */
    node: string | null;
    lease_until_ms: BigNumber | null;
  };
  /** What an unfinished job has made; it goes when the job ends. */
  media_job_segment: {
    job_id: string;
    track: string;
    rendition: string;
    number: BigNumber;
    /** Empty where no picture lies in that time. */
    cid: string;
    start_us: BigNumber;
    duration_us: BigNumber;
    bytes: BigNumber;
    /** JSON. */
    gops: string;
  };
  /** Files of captions attached to media. */
  media_captions: {
    cid: string;
    captions: string;
    /** Tenant; empty: the node's own. */
    owner: string;
    format: string;
    language: string | null;
    label: string | null;
    attached_at_ms: BigNumber;
  };
  media_prepared: { source: string; root: string; signature: string | null; made_at_ms: BigNumber };
}

/** Migrations of the media domain, in order. */
export const mediaMigrations: readonly Migration[] = [
  {
    id: "media-0001",
    up: async db => {
      await db.schema
        .createTable("media_job")
        .addColumn("id", "text", column => column.primaryKey())
        .addColumn("cid", "text", column => column.notNull())
        .addColumn("presets", "text")
        .addColumn("state", "text", column => column.notNull())
        .addColumn("progress", "text", column => column.notNull())
        .addColumn("result", "text")
        .addColumn("error", "text")
        .addColumn("created_at_ms", "bigint", column => column.notNull())
        .addColumn("ended_at_ms", "bigint")
        .execute();
      await db.schema
        .createTable("media_job_segment")
        .addColumn("job_id", "text", column => column.notNull())
        .addColumn("track", "text", column => column.notNull())
        .addColumn("rendition", "text", column => column.notNull())
        .addColumn("number", "bigint", column => column.notNull())
        .addColumn("cid", "text", column => column.notNull())
        .addColumn("start_us", "bigint", column => column.notNull())
        .addColumn("duration_us", "bigint", column => column.notNull())
        .addColumn("bytes", "bigint", column => column.notNull())
        .addColumn("gops", "text", column => column.notNull())
        .addPrimaryKeyConstraint("media_job_segment_key", ["job_id", "track", "rendition", "number"])
        .execute();
      await db.schema
        .createTable("media_prepared")
        .addColumn("source", "text", column => column.notNull())
        .addColumn("root", "text", column => column.notNull())
        .addColumn("signature", "text")
        .addColumn("made_at_ms", "bigint", column => column.notNull())
        .addPrimaryKeyConstraint("media_prepared_key", ["source", "root"])
        .execute();
    },
  },
  {
    id: "media-0002",
    up: async db => {
      await db.schema
        .createTable("media_captions")
        .addColumn("cid", "text", column => column.notNull())
        .addColumn("captions", "text", column => column.notNull())
        .addColumn("owner", "text", column => column.notNull())
        .addColumn("format", "text", column => column.notNull())
        .addColumn("language", "text")
        .addColumn("label", "text")
        .addColumn("attached_at_ms", "bigint", column => column.notNull())
        .addPrimaryKeyConstraint("media_captions_key", ["cid", "captions", "owner"])
        .execute();
      // Whose job it is, and until when the node that works on it has it to itself.
      await db.schema.alterTable("media_job").addColumn("owner", "text").execute();
      await db.schema.alterTable("media_job").addColumn("options", "text").execute();
      await db.schema.alterTable("media_job").addColumn("node", "text").execute();
      await db.schema.alterTable("media_job").addColumn("lease_until_ms", "bigint").execute();
    },
  },
];
