import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { resolve } from "node:path";
import type { ContentService } from "../content/index.ts";
import { messageOf, systemClock } from "../core/index.ts";
import { createPrepare, type Media, type Prepare } from "../media/index.ts";
import type { Tenancy } from "../tenancy/index.ts";
import { createNodeSigner, type PeerTables } from "../p2p/index.ts";
import type { Database } from "../store/index.ts";
import { closing } from "./parts.ts";
import { codeCacheOf } from "./paths.ts";
import type { Shared } from "./shared.ts";
import { keepLadders, type PrepareFor, prepareViews } from "./tenant-jobs.ts";

/** What another program's encoder cannot do. */
const NEEDS_LIBRARY =
  "Ladders are prepared with the node-av library: run `npm install node-av` and unset FFMPEG_PATH";

/** Opens the queue of jobs; unfinished ones of earlier runs go on. */
export async function startPrepare(
  shared: Shared,
  parts: {
    readonly content: ContentService;
    readonly database: Database;
    readonly media: Media;
    /** Undefined: jobs of tenants wait. */
    readonly tenancy: Tenancy | undefined;
    /** False: unfinished jobs wait; the node is open for one command. */
    readonly resume: boolean;
  },
): Promise<{ readonly prepare: Prepare; readonly prepareFor: PrepareFor }> {
  const { config, log, events, opened } = shared;
  const { content, database, media, tenancy, resume } = parts;
  const { presets, codec, workers, onAdd } = config.prepare;
  const encoderMissing =
    media.encoderMissing ?? (config.media.ffmpegPath === undefined ? undefined : NEEDS_LIBRARY);
  const prepare = createPrepare({
    presets,
    codec,
    workers,
    encoderMissing,
    codeCacheDir: codeCacheOf(config.dataDir),
    resume,
    tenants: tenancy !== undefined,
    // The same after a restart, another one for each directory: what shares a database tells nodes apart by it.
    node: `${hostname()}:${resolve(config.dataDir)}`,
  })({
    content,
    database,
    events,
    clock: systemClock,
    log,
    keep: keepLadders(content, tenancy),
    signer: createNodeSigner(database.tables<PeerTables>()),
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(config.dataDir);
      return bavail * bsize;
    },
  });
  await prepare.start();
  opened.push(prepare);
  if (onAdd) opened.push(closing("prepare-added", prepareAdded(prepare, shared)));
  return { prepare, prepareFor: await prepareViews(prepare, tenancy) };
}

/** Puts every media file that is added into the queue. */
function prepareAdded(prepare: Prepare, { events, log }: Shared): () => void {
  return events.on("content_added", ({ data: { cid, contentType } }) => {
    if (!/^(?:video|audio)\//.test(contentType)) return;
    prepare
      .submit(cid)
      .catch((error: unknown) => log.warn({ cid, reason: messageOf(error) }, "not prepared"));
  });
}
