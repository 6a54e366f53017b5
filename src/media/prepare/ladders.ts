import type { ManifestPoster } from "@cidcast/protocols/media-manifest";
import type { Blocks, Content } from "../../content/index.ts";
import { type AbortOptions, CidcastError, type Logger, messageOf } from "../../core/index.ts";
import type { GopStore, Stored } from "../store/gop-store.ts";
import { segmentCache } from "../store/segment-cache.ts";
import type { Ladder, MediaInfo, MediaPreviews, MediaSource } from "../types.ts";
import { isManifest, linkOf, manifestIn, readManifest } from "./manifest-reader.ts";
import { LadderRendition } from "./ladder-rendition.ts";
import { type ManifestTrust, trustedRoot } from "./manifest-trust.ts";
import { openPrepared, type PreparedMedia } from "./open-prepared.ts";

export interface LaddersInit {
  readonly content: Pick<Content, "open" | "hold"> & { readonly blocks?: Blocks | undefined };
  /** The manifest that was prepared of a file. */
  readonly manifestOf?: ((cid: string) => Promise<string | undefined>) | undefined;
  /** Whose manifests are played; undefined: signatures are not read. */
  readonly trust?: ManifestTrust | undefined;
  /** Opens a file as it is, whatever was prepared of it. */
  readonly openFile: (cid: string, options?: AbortOptions) => Promise<MediaSource>;
  readonly store: GopStore<Stored>;
  readonly log: Logger;
}

/** Opens media manifests, by their own CID or that of the file they were made from. */
export class Ladders {
  readonly #init: LaddersInit;

  constructor(init: LaddersInit) {
    this.#init = init;
  }

  /** The root that a reference names; undefined when it names something else. */
  rootIn(ref: string): string | undefined {
    if (this.#init.content.blocks === undefined) return undefined;
    return manifestIn(ref);
  }

  /** What a manifest holds. `UNSUPPORTED_MEDIA` when the block is none. */
  async probe(ref: string, options: AbortOptions = {}): Promise<MediaInfo> {
    return (await this.#read(await this.trusted(ref), options)).info;
  }

  /** CID of the file that a manifest was made from. */
  async sourceOf(root: string, options: AbortOptions = {}): Promise<string> {
    return (await this.#read(root, options)).source;
  }

  /** Poster and storyboard of a manifest, or of what was prepared of a file; undefined where nothing was. */
  async previewsOf(cid: string, options: AbortOptions = {}): Promise<MediaPreviews | undefined> {
    const root = isManifest(cid) ? cid : await this.#init.manifestOf?.(cid);
    const { blocks } = this.#init.content;
    if (root === undefined || blocks === undefined) return undefined;
    const { poster, storyboard } = await readManifest({ blocks }, root, options);
    return {
      poster: poster && { ...pictureOf(poster), timeSeconds: poster.time / 1e6 },
      storyboard: storyboard && {
        intervalSeconds: storyboard.interval / 1e6,
        count: storyboard.count,
        columns: storyboard.columns,
        rows: storyboard.rows,
        width: storyboard.width,
        height: storyboard.height,
        sheets: storyboard.sheets.map(sheet => linkOf(sheet.cid).toString()),
      },
    };
  }

  /** The root behind a reference that {@link rootIn} gave. `SIGNATURE_REFUSED`. */
  trusted(ref: string): Promise<string> {
    return trustedRoot(ref, this.#init.trust);
  }

  /** Opens a manifest, held until the handle is closed. */
  async open(root: string, cid: string, onClose: (source: MediaSource) => void, options: AbortOptions = {}) {
    const hold = this.#init.content.hold(root);
    try {
      const { openFile } = this.#init;
      return ladderSource({ prepared: await this.#read(root, options), cid, root, openFile }, source => {
        hold.release();
        onClose(source);
      });
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  /** Opens what was prepared of a file; undefined when nothing was, or it cannot be read: then the file itself plays. */
  async openOf(cid: string, onClose: (source: MediaSource) => void, options: AbortOptions = {}) {
    const root = await this.#init.manifestOf?.(cid);
    if (root === undefined) return undefined;
    try {
      return await this.open(root, cid, onClose, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#init.log.warn({ cid, root, reason: messageOf(error) }, "what was prepared cannot be read");
      return undefined;
    }
  }

  async #read(root: string, options: AbortOptions): Promise<PreparedMedia> {
    const { content, store } = this.#init;
    const { blocks } = content;
    if (blocks === undefined) throw new CidcastError("FEATURE_DISABLED", "Manifests are not read here");
    return openPrepared(
      { content: { open: content.open.bind(content), blocks }, cache: segmentCache(store), root },
      options,
    );
  }
}

function pictureOf({ cid, width, height }: ManifestPoster) {
  return { cid: linkOf(cid).toString(), width, height };
}

/** A handle on a manifest. */
function ladderSource(
  init: Pick<LaddersInit, "openFile"> & {
    readonly prepared: PreparedMedia;
    readonly cid: string;
    readonly root: string;
  },
  onClose: (source: MediaSource) => void,
): MediaSource {
  const { prepared, cid, root } = init;
  const { info } = prepared;
  // Sound at another rate is made from the file itself, where that can be had.
  const file = lazily(() => init.openFile(prepared.source));
  let fileUsed = false;
  const chosen = new Map<string, string>();
  let closed = false;
  const ladder: Ladder = {
    names: id => prepared.qualities(id),
    rungs: id => prepared.rungs(id),
    chosen: id => chosen.get(id) ?? "auto",
    choose: (id, name) => {
      if (name !== "auto" && !prepared.qualities(id).includes(name)) return false;
      chosen.set(id, name);
      return true;
    },
  };
  const first = (kind: "video" | "audio") => info.tracks.find(track => track.kind === kind)?.id;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    onClose(source);
    if (fileUsed)
      await file().then(
        opened => opened.close(),
        () => undefined,
      );
  };
  const source: MediaSource = {
    cid,
    info,
    ladder,
    defaultTrackIds: [first("video"), first("audio")].filter(id => id !== undefined),
    async rendition(id, options = {}) {
      options.signal?.throwIfAborted();
      if (closed) throw new CidcastError("CONFLICT", `The handle on ${root} is closed`);
      const kind = info.tracks.find(track => track.id === id)?.kind;
      if ((options.tempo ?? 1) !== 1 && kind === "audio") {
        fileUsed = true;
        return (await file()).rendition(id, options);
      }
      const names = prepared.qualities(id);
      const best = names.at(-1) ?? "";
      const name = (): string => (ladder.chosen(id) === "auto" ? best : ladder.chosen(id));
      const rungs = names.map(rung => ({
        name: rung,
        source: lazily(() => prepared.rendition(id, { name: rung })),
      }));
      // The rung that is played first is read now: a list that is not whole is told before anything is sent.
      const begins = await rungs.find(rung => rung.name === name())?.source();
      if (begins === undefined) throw new CidcastError("TRACK_NOT_FOUND", `${root} has no track ${id}`);
      return new LadderRendition(begins.info, rungs, name);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return source;
}

/** Makes something at first use; a failure is not kept. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
