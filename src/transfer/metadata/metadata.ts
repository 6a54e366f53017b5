import {
  MAX_RECORDS_PER_REPLY,
  type MetadataPayload,
  type SignedRecord,
  signedRecord,
} from "@cidcast/protocols/ipfs-kit-metadata";
import { type Kysely, sql } from "kysely";
import { CidcastError, type Clock } from "../../core/index.ts";
import type { Database } from "../../store/index.ts";
import { MAX_METADATA_RECORDS } from "../limits.ts";
import type { TransferTables } from "../transfers/migrations.ts";
import { authorOf, type MetadataSigner, signRecord, type VerifiedRecord, verifyRecord } from "./signed.ts";

/** What the node knows of content by itself. */
export interface KnownContent {
  readonly size: number;
  readonly contentType: string;
  /** Root of the media manifest made from it. */
  readonly manifest: string | undefined;
}

/** What somebody says of content. */
export type MetadataFields = Partial<Omit<MetadataPayload, "cid" | "author" | "version" | "replaces">>;

export interface MetadataComponents {
  readonly database: Pick<Database, "tables">;
  readonly signer: MetadataSigner;
  /** Undefined: the node has no record of it. */
  readonly known: (cid: string) => Promise<KnownContent | undefined>;
  readonly clock: Clock;
}

/** Signed records of what content is: of this node and of others. */
export interface Metadata {
  /** The records about a CID, one of each author, the newest versions; this node's own among them. */
  query(cid: string, author?: string): Promise<VerifiedRecord[]>;
  /** Takes a record in that its author signed. `CONFLICT` when it does not replace the one that stands; `details.current` names that. */
  update(record: SignedRecord): Promise<VerifiedRecord>;
  /** Says something about a CID as this node, in place of what it said before. Fields that are left out stay; null takes one away. */
  publish(cid: string, fields: Readonly<Record<string, unknown>>): Promise<VerifiedRecord>;
}

/** Keeps records in the database, the newest version of each author. */
export function createMetadata(components: MetadataComponents): Metadata {
  return new DefaultMetadata(components);
}

class DefaultMetadata implements Metadata {
  readonly #components: MetadataComponents;
  readonly #db: Kysely<TransferTables>;
  #author: Promise<string> | undefined;
  /** Versions follow each other: one write at a time. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(components: MetadataComponents) {
    this.#components = components;
    this.#db = components.database.tables<TransferTables>();
  }

  async query(cid: string, author?: string): Promise<VerifiedRecord[]> {
    await this.#refreshOwn(cid);
    let query = this.#db.selectFrom("metadata_record").selectAll().where("cid", "=", cid);
    if (author !== undefined) query = query.where("author", "=", author);
    const rows = await query.orderBy("author").limit(MAX_RECORDS_PER_REPLY).execute();
    return Promise.all(rows.map(row => verifyRecord(signedRecord.parse(JSON.parse(row.signed)))));
  }

  async update(record: SignedRecord): Promise<VerifiedRecord> {
    const verified = await verifyRecord(record);
    return this.#exclusive(() => this.#save(verified));
  }

  publish(cid: string, fields: Readonly<Record<string, unknown>>): Promise<VerifiedRecord> {
    return this.#exclusive(() => this.#write(cid, fields));
  }

  /** What this node knows of content it has is its own record, as long as it has not said more. */
  async #refreshOwn(cid: string): Promise<void> {
    const known = await this.#components.known(cid);
    if (known === undefined) return;
    const facts: MetadataFields = {
      size: known.size,
      content_type: known.contentType,
      ...(known.manifest !== undefined && { manifest: known.manifest }),
    };
    await this.#exclusive(async () => {
      const own = await this.#find(cid, await this.#own());
      const isSaid = Object.entries(facts).every(([name, value]) => own?.payload[name] === value);
      if (own === undefined || !isSaid) await this.#write(cid, facts);
    });
  }

  async #write(cid: string, fields: Readonly<Record<string, unknown>>): Promise<VerifiedRecord> {
    const { signer, clock } = this.#components;
    const author = await this.#own();
    const before = await this.#find(cid, author);
    const said = Object.entries({ ...before?.payload, ...fields }).filter(([, value]) => value !== null);
    const payload: MetadataPayload = {
      kind: "content",
      ...Object.fromEntries(said),
      cid,
      author,
      version: (before?.payload.version ?? 0) + 1,
      replaces: before?.id ?? null,
      updated_at: new Date(clock.now()).toISOString(),
    };
    // What was put together here has to be what others accept.
    const record = await verifyRecord((await signRecord(payload, signer)).signed);
    return this.#save(record);
  }

  async #save(record: VerifiedRecord): Promise<VerifiedRecord> {
    const { id, payload, signed } = record;
    const { cid, author, version, replaces } = payload;
    const standing = await this.#find(cid, author);
    if (standing?.id === id) return record;
    if ((standing?.id ?? null) !== replaces || version !== (standing?.payload.version ?? 0) + 1) {
      const what =
        standing === undefined ? "there is none yet" : `version ${standing.payload.version} stands`;
      throw new CidcastError("CONFLICT", `The record does not replace the one of ${author}: ${what}`, {
        ...(standing !== undefined && {
          details: { current: { id: standing.id, version: standing.payload.version } },
        }),
      });
    }
    if (standing === undefined) await this.#requireRoom(cid);
    const row = { id, version, signed: JSON.stringify(signed) };
    await this.#db
      .insertInto("metadata_record")
      .values({ cid, author, ...row })
      .onConflict(conflict => conflict.columns(["cid", "author"]).doUpdateSet(row))
      .execute();
    return record;
  }

  async #requireRoom(cid: string): Promise<void> {
    const count = sql<number | string>`count(*)`;
    const all = await this.#db.selectFrom("metadata_record").select(count.as("n")).executeTakeFirstOrThrow();
    const here = await this.#db
      .selectFrom("metadata_record")
      .select(count.as("n"))
      .where("cid", "=", cid)
      .executeTakeFirstOrThrow();
    if (Number(here.n) >= MAX_RECORDS_PER_REPLY) {
      throw new CidcastError("LIMIT_REACHED", `${MAX_RECORDS_PER_REPLY} authors say something of ${cid}`);
    }
    if (Number(all.n) >= MAX_METADATA_RECORDS) {
      throw new CidcastError("LIMIT_REACHED", `${MAX_METADATA_RECORDS} records are kept`);
    }
  }

  async #find(cid: string, author: string): Promise<VerifiedRecord | undefined> {
    const row = await this.#db
      .selectFrom("metadata_record")
      .selectAll()
      .where("cid", "=", cid)
      .where("author", "=", author)
      .executeTakeFirst();
    return row === undefined ? undefined : verifyRecord(signedRecord.parse(JSON.parse(row.signed)));
  }

  #own(): Promise<string> {
    this.#author ??= this.#components.signer
      .sign(new Uint8Array())
      .then(({ publicKey }) => authorOf(publicKey));
    return this.#author;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(work);
    this.#writing = result.catch(() => undefined);
    return result;
  }
}
