import type { ControlEventMessage } from "@cidcast/protocols/media-control";
import { CidcastError, type Logger, messageOf, toCidcastError } from "../../core/index.ts";
import type { Captions } from "../../media/index.ts";

/** Bytes of cues in one message: with what is around them they stay below what every receiver takes. */
const CUES_MESSAGE_BYTES = 12 * 1024;

export interface SessionTextInit {
  readonly cid: string;
  /** Tenant whose captions are told beside the node's own. */
  readonly owner: string;
  readonly captions: Pick<Captions, "list" | "cues"> | undefined;
  readonly say: (event: ControlEventMessage, keep: boolean) => void;
  readonly log: Logger;
}

/** Tells a viewer which captions and chapters there are, and sends the cues that it wants. */
export class SessionText {
  readonly #init: SessionTextInit;
  readonly #closed = new AbortController();
  #choosing: AbortController | undefined;

  constructor(init: SessionTextInit) {
    this.#init = init;
  }

  /** To be called once the viewer is connected: looking for text takes reading, which pictures need first. */
  async tell(): Promise<void> {
    const { captions, cid, owner, say, log } = this.#init;
    if (captions === undefined) return;
    const { signal } = this.#closed;
    try {
      const found = await captions.list(cid, owner, { signal });
      if (found.captions.length === 0 && found.chapters.length === 0) return;
      const tracks = found.captions.map(({ id, language, label }) => ({
        id,
        ...(language !== undefined && { language }),
        ...(label !== undefined && { label }),
      }));
      say({ type: "text", captions: tracks, chapters: [...found.chapters] }, true);
    } catch (error) {
      if (!signal.aborted) log.debug({ cid, reason: messageOf(error) }, "no text was found");
    }
  }

  /** Sends all cues of some captions; null: no more. A choice before that is still being sent is given up. */
  async choose(trackId: string | null): Promise<void> {
    this.#choosing?.abort();
    const choosing = new AbortController();
    this.#choosing = choosing;
    const { captions, cid, owner, say } = this.#init;
    if (trackId === null || this.#closed.signal.aborted) return;
    const signal = AbortSignal.any([choosing.signal, this.#closed.signal]);
    try {
      if (captions === undefined) throw new CidcastError("TRACK_NOT_FOUND", `${cid} has no captions`);
      const { cues } = await captions.cues(cid, trackId, { owner, signal });
      let batch: [number, number, string][] = [];
      let bytes = 0;
      const flush = (last: boolean): void => {
        say({ type: "cues", trackId, cues: batch, last }, false);
        batch = [];
        bytes = 0;
      };
      for (const { startSeconds, endSeconds, text } of cues) {
        const size = Buffer.byteLength(JSON.stringify(text)) + 32;
        if (size > CUES_MESSAGE_BYTES) continue;
        if (bytes + size > CUES_MESSAGE_BYTES) flush(false);
        batch.push([startSeconds, endSeconds, text]);
        bytes += size;
      }
      flush(true);
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = toCidcastError(error);
      say({ type: "cues_failed", trackId, code, message }, false);
    }
  }

  close(): void {
    this.#closed.abort();
  }
}
