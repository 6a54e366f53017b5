import { createReadStream, existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Content } from "../content/index.ts";
import { CidcastError, type Clock, type EventBus, type Logger, type Service } from "../core/index.ts";
import type { Media } from "../media/index.ts";
import type { Settings } from "../store/index.ts";
import { closing } from "./parts.ts";
import { SAMPLE_FILE } from "./paths.ts";
import type { NodeEvents } from "./shared.ts";

const SAMPLE_SETTING = "sample.cid";

interface Probing {
  readonly content: Content;
  readonly media: Media;
  readonly events: EventBus<NodeEvents>;
  readonly log: Logger;
}

/** Looks into every file that is added and writes what it finds into its record, one file at a time. */
export function probeAdded({ content, media, events, log }: Probing): Service {
  const stopping = new AbortController();
  let last = Promise.resolve();
  const probe = async (cid: string): Promise<void> => {
    if (stopping.signal.aborted) return;
    try {
      const info = await media.probe(cid, { signal: stopping.signal });
      await content.setMedia(cid, { ...info });
    } catch (error) {
      if (!stopping.signal.aborted) log.debug({ cid, err: error }, "added content could not be probed");
    }
  };
  const off = events.on("content_added", ({ data }) => {
    if (!/^(?:video|audio)\//.test(data.contentType)) return;
    last = last.then(() => probe(data.cid));
  });
  return closing("probe", async () => {
    off();
    stopping.abort(new CidcastError("SHUTTING_DOWN", "The node is stopping"));
    await last;
  });
}

/** Adds the shipped clip once: who removes it does not get it back. */
export async function addSample(
  content: Content,
  settings: Settings,
  log: Logger,
): Promise<string | undefined> {
  const known = await settings.get(SAMPLE_SETTING);
  if (known !== undefined) return (await content.record(known)) === undefined ? undefined : known;
  if (!existsSync(SAMPLE_FILE)) {
    log.warn({ file: SAMPLE_FILE }, "the sample clip is missing");
    return undefined;
  }
  const { size } = await stat(SAMPLE_FILE);
  const options = { name: basename(SAMPLE_FILE), totalBytes: size };
  const { cid } = await content.add(createReadStream(SAMPLE_FILE), options);
  await settings.set(SAMPLE_SETTING, cid);
  return cid;
}

/** Collects garbage every so often; a collection that is still under way when the next is due is left alone. */
export function collectRegularly(init: {
  readonly content: Pick<Content, "gc">;
  /** 0: only when somebody asks. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}): Service {
  const { content, intervalMs, clock, log } = init;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const collect = async (): Promise<void> => {
    try {
      const { removedBlocks, freedBytes } = await content.gc({ signal: stopping.signal });
      log.info({ removedBlocks, freedBytes }, "garbage collected");
    } catch (error) {
      if (!stopping.signal.aborted) log.warn({ err: error }, "garbage could not be collected");
    }
  };
  const cancel =
    intervalMs === 0
      ? () => undefined
      : clock.every(intervalMs, () => {
          running ??= collect().finally(() => {
            running = undefined;
          });
        });
  return closing("gc", async () => {
    cancel();
    stopping.abort(new CidcastError("SHUTTING_DOWN", "The node is stopping"));
    await running;
  });
}
