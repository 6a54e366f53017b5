import { type AbortOptions, CidcastError, type Clock } from "../../core/index.ts";
import type { Blocks, Content, ContentFile } from "../../content/index.ts";
import type { Database } from "../../store/index.ts";
import { CAPTIONS_MAX_ATTACHED, CAPTIONS_MAX_BYTES } from "../limits.ts";
import { isManifest, linkOf, manifestIn, readManifest } from "../prepare/manifest-reader.ts";
import { type ManifestTrust, trustedRoot } from "../prepare/manifest-trust.ts";
import type { PrepareTables } from "../prepare/migrations.ts";
import { ByteReader } from "./byte-reader.ts";
import { chaptersOf, inOrder, readFileText } from "./file-text.ts";
import type { FileText } from "./mp4-text.ts";
import { parseCaptions } from "./parse-text.ts";
import type { CaptionTrack, Cue, CuesOptions, EmbeddedText } from "./types.ts";

export interface AttachOptions extends AbortOptions {
  readonly language?: string | undefined;
  readonly label?: string | undefined;
}

/** Captions, chapters and tags of media. `owner` is a tenant's id, or empty for the node's own. */
export interface Captions {
  /** What is inside a file or manifest. Empty for media without text. */
  embedded(ref: string, options?: AbortOptions): Promise<EmbeddedText>;
  /** What is inside, and what this owner or the node itself has attached. */
  list(ref: string, owner?: string, options?: AbortOptions): Promise<EmbeddedText>;
  /** Cues of one of those, in order of time. `TRACK_NOT_FOUND`, `LIMIT_REACHED`. */
  cues(
    ref: string,
    trackId: string,
    options?: CuesOptions & { readonly owner?: string },
  ): Promise<{
    readonly track: CaptionTrack;
    readonly cues: readonly Cue[];
  }>;
  /** Attaches a file of captions. `CORRUPT_MEDIA` when it holds none, `LIMIT_REACHED`. */
  attach(ref: string, captions: string, owner?: string, options?: AttachOptions): Promise<CaptionTrack>;
  /** False when it was not attached. */
  detach(ref: string, captions: string, owner?: string, options?: AbortOptions): Promise<boolean>;
}

export interface CaptionsComponents {
  readonly content: Pick<Content, "resolve" | "open"> & { readonly blocks: Blocks };
  readonly database: Pick<Database, "tables">;
  readonly clock: Clock;
  /** Whose manifests are read; undefined: signatures are not read. */
  readonly trust?: ManifestTrust | undefined;
}

export function createCaptions(components: CaptionsComponents): Captions {
  const { content, clock } = components;
  const db = components.database.tables<PrepareTables>();

  /** What a reference names: a manifest by its root, or a file. */
  async function cidOf(ref: string, options: AbortOptions): Promise<string> {
    const root = manifestIn(ref);
    return root === undefined
      ? (await content.resolve(ref, options)).cid
      : trustedRoot(root, components.trust);
  }

  async function attached(cids: readonly string[], owner: string): Promise<CaptionTrack[]> {
    const rows = await db
      .selectFrom("media_captions")
      .selectAll()
      .where("cid", "in", [...cids])
      .where("owner", "in", ["", owner])
      .orderBy("attached_at_ms")
      .orderBy("captions")
      .execute();
    const seen = new Set<string>();
    return rows.flatMap(row => {
      if (seen.has(row.captions)) return [];
      seen.add(row.captions);
      const { captions: cid, format, language, label } = row;
      return [
        {
          id: `x${cid}`,
          cid,
          format: format === "srt" ? ("srt" as const) : ("webvtt" as const),
          language: language ?? undefined,
          label: label ?? undefined,
        },
      ];
    });
  }

  async function embedded(ref: string, options: AbortOptions = {}): Promise<EmbeddedText> {
    const cid = await cidOf(ref, options);
    if (isManifest(cid)) return ofManifest(cid, options);
    return withText(cid, options, async (text, reader) => ({
      captions: text.tracks.map(({ format, language, label }, i) => ({
        id: `s${i}`,
        cid,
        format,
        language,
        label,
      })),
      chapters: await chaptersOf(text, reader),
      tags: text.tags,
    }));
  }

  async function ofManifest(root: string, options: AbortOptions): Promise<EmbeddedText> {
    const { captions = [], chapters = [], tags = {} } = await readManifest(content, root, options);
    return {
      captions: captions.map(({ id, cid, language, label }) => {
        return { id, cid: linkOf(cid).toString(), format: "webvtt", language, label };
      }),
      chapters: chapters.map(({ start, title }) => ({ startSeconds: start / 1e6, title })),
      tags,
    };
  }

  async function withText<T>(
    cid: string,
    options: AbortOptions,
    work: (text: FileText, reader: ByteReader) => Promise<T>,
  ): Promise<T> {
    await using file = await content.open(cid, options);
    const reader = new ByteReader(file, options);
    return work(await readFileText(reader), reader);
  }

  async function cuesOf(cid: string, track: CaptionTrack, options: AbortOptions): Promise<readonly Cue[]> {
    if (track.cid !== cid || isManifest(cid)) return (await readAttached(track.cid, options)).cues;
    return withText(cid, options, async ({ tracks }, reader) => {
      const cues = await tracks[Number(track.id.slice(1))]?.cues(reader);
      return inOrder(cues ?? []);
    });
  }

  async function readAttached(cid: string, options: AbortOptions) {
    await using file = await content.open(cid, options);
    return parseCaptions(await whole(file, options), cid);
  }

  /** What a thing is known by: itself, and for a manifest the file it was made of. */
  async function namesOf(cid: string, options: AbortOptions): Promise<string[]> {
    if (!isManifest(cid)) return [cid];
    return [cid, (await readManifest(content, cid, options)).source];
  }

  const list: Captions["list"] = async (ref, owner = "", options = {}) => {
    const cid = await cidOf(ref, options);
    const inside = await embedded(cid, options);
    return {
      ...inside,
      captions: [...inside.captions, ...(await attached(await namesOf(cid, options), owner))],
    };
  };

  return {
    embedded,
    list,
    async cues(ref, trackId, { owner = "", fromSeconds = 0, untilSeconds = Infinity, ...options } = {}) {
      const cid = await cidOf(ref, options);
      const { captions } = await list(cid, owner, options);
      const track = captions.find(({ id }) => id === trackId);
      if (track === undefined) throw new CidcastError("TRACK_NOT_FOUND", `${cid} has no captions ${trackId}`);
      const cues = await cuesOf(cid, track, options);
      return {
        track,
        cues: cues.filter(cue => cue.endSeconds > fromSeconds && cue.startSeconds < untilSeconds),
      };
    },
    async attach(ref, captions, owner = "", { language, label, ...options } = {}) {
      const [cid, file] = await Promise.all([cidOf(ref, options), content.resolve(captions, options)]);
      const { format } = await readAttached(file.cid, options);
      const already = await attached([cid], owner);
      if (already.length >= CAPTIONS_MAX_ATTACHED) {
        throw new CidcastError("LIMIT_REACHED", `${cid} has ${CAPTIONS_MAX_ATTACHED} caption files already`);
      }
      await db
        .insertInto("media_captions")
        .values({
          cid,
          captions: file.cid,
          owner,
          format,
          language: language ?? null,
          label: label ?? null,
          attached_at_ms: clock.now(),
        })
        .onConflict(conflict =>
          conflict
            .columns(["cid", "captions", "owner"])
            .doUpdateSet({ language: language ?? null, label: label ?? null }),
        )
        .execute();
      return { id: `x${file.cid}`, cid: file.cid, format, language, label };
    },
    async detach(ref, captions, owner = "", options = {}) {
      const [cid, file] = await Promise.all([cidOf(ref, options), content.resolve(captions, options)]);
      const { numDeletedRows } = await db
        .deleteFrom("media_captions")
        .where("cid", "=", cid)
        .where("captions", "=", file.cid)
        .where("owner", "=", owner)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

async function whole(file: ContentFile, options: AbortOptions): Promise<Uint8Array> {
  if (file.size > CAPTIONS_MAX_BYTES) {
    throw new CidcastError(
      "LIMIT_REACHED",
      `${file.cid} is larger than ${CAPTIONS_MAX_BYTES} bytes of captions`,
    );
  }
  return file.read(0, file.size, options);
}
