import type { Content, ContentHold } from "../../content/index.ts";
import { type AbortOptions, type Logger, raceSignal, withTimeout } from "../../core/index.ts";
import { demuxError, type LibraryDemuxer, type MediaFile, openMediaFile } from "../demux/media-file.ts";
import { probeFile } from "../demux/probe.ts";
import type { DemuxedTrack } from "../demux/track.ts";
import { PROBE_MAX_READ_BYTES, PROBE_MAX_READS, PROBE_TIMEOUT_MS } from "../limits.ts";
import type { MediaInfo } from "../types.ts";

/** A media file that is open once for all who play it. */
export interface OpenFile {
  readonly cid: string;
  readonly info: MediaInfo;
  readonly media: MediaFile;
  readonly tracks: ReadonlyMap<string, DemuxedTrack>;
  /** What was wrong where reading a track ended early, by track. */
  readonly damage: Map<string, string>;
  /** Called before the file closes, for those who read it on their own. */
  readonly beforeClose: Set<() => void>;
}

/** One reference to an open file. */
export interface FileReference {
  readonly file: OpenFile;
  /** Gives the reference back; true when it was the last one and the file is closed. Safe to call twice. */
  release(): Promise<boolean>;
}

interface Entry {
  readonly opening: Promise<OpenFile>;
  references: number;
}

/** Open media files by CID, counted by reference, each with a hold on its content. */
export class OpenFiles {
  readonly #content: Pick<Content, "open" | "hold">;
  readonly #log: Logger;
  readonly #encoderMissing: () => string | undefined;
  readonly #library: LibraryDemuxer | undefined;
  readonly #entries = new Map<string, Entry>();

  constructor(init: {
    readonly content: Pick<Content, "open" | "hold">;
    readonly log: Logger;
    readonly encoderMissing: () => string | undefined;
    /** A second demuxer for what the first one does not read. */
    readonly library?: LibraryDemuxer | undefined;
  }) {
    this.#content = init.content;
    this.#log = init.log;
    this.#encoderMissing = init.encoderMissing;
    this.#library = init.library;
  }

  /** Files open now. */
  get size(): number {
    return this.#entries.size;
  }

  /** Opens the file, or shares it where it is open. */
  async acquire(cid: string, options: AbortOptions = {}): Promise<FileReference> {
    let entry = this.#entries.get(cid);
    if (entry === undefined) {
      entry = { opening: this.#open(cid), references: 0 };
      this.#entries.set(cid, entry);
    }
    entry.references += 1;
    let released = false;
    const held = entry;
    const release = async (): Promise<boolean> => {
      if (released) return false;
      released = true;
      return this.#release(cid, held);
    };
    try {
      return { file: await raceSignal(entry.opening, options.signal), release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #release(cid: string, entry: Entry): Promise<boolean> {
    entry.references -= 1;
    if (entry.references > 0) return false;
    if (this.#entries.get(cid) === entry) this.#entries.delete(cid);
    try {
      const file = await entry.opening;
      for (const tell of file.beforeClose) tell();
      await file.media.close();
    } catch (error) {
      this.#log.debug({ cid, err: error }, "media file did not open or close");
    }
    return true;
  }

  async #open(cid: string): Promise<OpenFile> {
    const hold = this.#content.hold(cid);
    try {
      return await withTimeout(PROBE_TIMEOUT_MS, `Looking into ${cid}`, signal =>
        this.#probe(cid, hold, signal),
      );
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  async #probe(cid: string, hold: ContentHold, signal: AbortSignal): Promise<OpenFile> {
    const budget = { bytes: PROBE_MAX_READ_BYTES, reads: PROBE_MAX_READS };
    const content = await this.#content.open(cid, { signal });
    const { media, unlimited } = await openMediaFile(content, {
      log: this.#log,
      budget,
      library: this.#library,
    });
    const close = async (): Promise<void> => {
      await media.close();
      hold.release();
    };
    const giveUp = (): void => {
      media
        .close()
        .catch((error: unknown) => this.#log.debug({ cid, err: error }, "media file did not close"));
    };
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      const { info, tracks } = await probeFile(media, this.#encoderMissing());
      unlimited();
      return { cid, info, tracks, damage: new Map(), media: { ...media, close }, beforeClose: new Set() };
    } catch (error) {
      await media.close();
      throw demuxError(error, cid);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }
}
